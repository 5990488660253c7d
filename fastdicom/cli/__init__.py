"""The command line: arguments, terminals, exit statuses. What it does, a program can call as well."""
