"""One module per kind of source: what is new there, as what a file of runs holds (`runs.importers`)."""
