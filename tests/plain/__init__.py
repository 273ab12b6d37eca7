"""Line mode, from typed words to whole journeys through a pipe."""
