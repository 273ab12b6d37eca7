"""The domain's name server and the resolvers that remember its answers, each with manners of its own."""
