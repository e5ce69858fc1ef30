"""Bundles over HTTP: Open Inference Protocol v2, and image files in, answers out.

Needs `spikehalt[serve]`. What clients may say, and how to run it: docs/serving.md.

    run       the server's processes, certificates and log
    listening uvicorn as every server here runs it
    app       the application: routes, and what errors look like
    guards    who may ask, how much, and how slowly
    models    the served bundles by name; a replaced one is opened anew
    model     one bundle: admission, batches, deadlines
    pace      how long a batch will take
    metrics   what Prometheus collects
    tensors   requests and answers as the protocol writes them
    options   what a server is told
    errors    exceptions with an HTTP status
"""
