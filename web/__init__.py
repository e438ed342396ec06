"""The web form: tcalc as a page in the browser, and as an API over HTTP.

`app` is the web application, which only passes requests on: all computation happens in worker
processes.  `forkserver` is a process with tcalc loaded that forks workers, `worker` runs in each of
them, and `operations` has what a worker can do; `pool` passes requests to workers and ends those
that take too long.  `catalogue` has the lists of examples and functions, `schemas` the requests and
responses, `guard` the rules that every request and response must obey, `connections` the time
limits for requests to arrive, and `assets` the files of the page; `serving` starts the server.

This folder is installed as ``tcalc.web``.
"""
