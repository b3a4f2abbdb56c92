import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "earshot.settings")
application = get_wsgi_application()
_ = get_resolver().url_patterns  # loads every view before the first request, which would wait 1.4 s for them
