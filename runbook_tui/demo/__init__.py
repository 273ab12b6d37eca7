"""The embedded world: two mail hosts, a zone, resolvers and senders on loopback, for a rehearsal of the migration.

From outside in: `command` is `mailrunbook demo`; `supervisor` chooses the tier and keeps watch over two children, the
app and the world; `world` builds the `Machine`s and everything around them and answers on a control socket. Each
server is a folder or file of its own (`postfix`, `imap`, `dns`, `ssh`, `web`), `standins` are the admin commands of
daemons that are not there. Nothing outside this folder imports it but the command line and tests.
"""
