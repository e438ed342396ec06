"""The web form: tcalc as a page in the browser, and as an API over HTTP.

`app` is the web application, and only hands requests on: all that is computed is computed in
worker processes.  `forkserver` is a process with tcalc loaded which forks workers, `worker` what
runs in one, `operations` what a worker can do, `pool` who hands requests to workers and ends those
that take too long.  `catalogue` has the lists to choose from, `schemas` the requests and
responses, `guard` what every response and request must obey, `connections` how long the latter may
take to arrive, `assets` the files of the page; `serving` starts it all.

This folder is installed as ``tcalc.web``.
"""
