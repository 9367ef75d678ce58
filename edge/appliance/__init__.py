"""The service that watches a folder: requests come in as files, packages and reasons go out.

One folder, the spool, is its whole memory: every state is a place in it, every change of state one rename. Whatever
happens to the machine, the next start reads the spool and goes on. It starts `edge produce` as a process of its own and
never imports what that needs.
"""
