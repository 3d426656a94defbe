"""The owner's controls: what the console's pages ask and do, one module a page, each giving its routes.

All of it stands behind the console's token (web/console/app.py); nothing here asks again who is asking.
"""
