"""A small Postfix: the decisions a migration can get wrong, on main.cf, lookup tables and a queue on disk."""
