"""A local page on which a bundle can be watched at work, and told how to work.

Needs `spikehalt[live]`. How to use it: docs/live.md.

    run       the server, on this machine alone
    app       the application: the page's files, and the socket that feeds it
    show      the thread that takes pictures, answers them and tells who watches
    side      one engine's answers to one picture
    knobs     what can be turned while it runs
    sources   where pictures come from: cameras, videos, files, the demo's digits
    wire      answers as the page gets them
    page/     the page itself: HTML, CSS and ES modules, as they are
"""
