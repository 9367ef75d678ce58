"""The status page of the watched folder: what runs, what waits, what came of it, and a form for another request.

A process of its own, started and ended by the watcher, on the standard library's HTTP server. It reads the spool and
acts on it as any other program does: requests are dropped, wishes are left. It works nothing itself.
"""
