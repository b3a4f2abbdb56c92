"""All settings, from environment variables. Safe for development; docs/operations.md lists what production sets."""

import secrets
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from earshot import environment

SOURCE = Path(__file__).resolve().parent
ROOT = SOURCE.parent.parent if (SOURCE.parent.parent / "manage.py").exists() else SOURCE
DATA_DIR = Path(environment.text("EARSHOT_DATA_DIR", str(ROOT / ".earshot"))).absolute()
DATA_DIR.mkdir(parents=True, exist_ok=True)

# --- Security ---------------------------------------------------------------------------------------------------------
DEBUG = environment.boolean("EARSHOT_DEBUG", default=False)
HTTPS = environment.boolean("EARSHOT_HTTPS", default=False)  # behind a proxy that ends TLS


def read_secret_key() -> str:
    """The key from the environment, else one made once and kept in the data folder (readable by its owner alone)."""
    if key := environment.text("EARSHOT_SECRET_KEY"):
        if len(key) < 32:
            raise ImproperlyConfigured(f"EARSHOT_SECRET_KEY has {len(key)} characters. Set one of at least 32.")
        return key
    path = DATA_DIR / "secret_key"
    if not path.exists():
        draft = DATA_DIR / f"secret_key.{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            path.hardlink_to(draft)  # fails if another process was first: then both read the same key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


SECRET_KEY = read_secret_key()
ALLOWED_HOSTS = environment.text("EARSHOT_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [f"{'https' if HTTPS else 'http'}://{host}" for host in ALLOWED_HOSTS if host != "*"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # data: is the QR code of the second factor
        "media-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Apps -------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "rest_framework",
    "earshot.accounts",
    "earshot.languages",
    "earshot.jobs",
    "earshot.demo",
    "annotation",
    "rewardmodel",
    "policy",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "earshot.languages.middleware.PersonsLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "earshot.accounts.middleware.LinkAccountMiddleware",
    "earshot.accounts.middleware.HtmxSignInMiddleware",
]
ROOT_URLCONF = "earshot.urls"
WSGI_APPLICATION = "earshot.wsgi.application"
TEMPLATE_DIR = ROOT / "templates"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [TEMPLATE_DIR],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Data -------------------------------------------------------------------------------------------------------------
DATABASES = {"default": environment.database(environment.text("DATABASE_URL", f"sqlite:///{DATA_DIR}/earshot.sqlite3"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = environment.text("REDIS_URL")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(DATA_DIR / "cache"),
        }
    }

STORAGE_URL = environment.text("EARSHOT_STORAGE_URL")  # s3://bucket; empty: a folder under DATA_DIR
if STORAGE_URL and not STORAGE_URL.startswith("s3://"):
    raise ImproperlyConfigured(
        f"EARSHOT_STORAGE_URL={STORAGE_URL!r} is not an s3:// link. Use s3://bucket or leave it empty."
    )
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": DATA_DIR / "files"}},
    "artefacts": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": STORAGE_URL.removeprefix("s3://").strip("/"),
            "endpoint_url": environment.text("EARSHOT_STORAGE_ENDPOINT") or None,
            "file_overwrite": False,
        },
    }
    if STORAGE_URL
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "artefacts", "base_url": None},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = Path(environment.text("EARSHOT_STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [ROOT / "static"]
# Set by deploy/: nginx sends the bytes of an audio file that Django has allowed. Empty: Django sends them itself.
ACCEL_REDIRECT_PREFIX = environment.text("EARSHOT_ACCEL_REDIRECT")
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = str(DATA_DIR / "scratch")  # large uploads stay off /tmp
(DATA_DIR / "scratch").mkdir(exist_ok=True)
MAX_UPLOAD_BYTES = environment.number("EARSHOT_MAX_UPLOAD_MB", 2048, int, minimum=1) * 1024 * 1024

# --- Sound ------------------------------------------------------------------------------------------------------------
MAX_AUDIO_SECONDS = environment.number("EARSHOT_MAX_AUDIO_MINUTES", 60.0, float, minimum=0.01) * 60
RENDITION_RATE = environment.number("EARSHOT_RENDITION_RATE", 24_000, int, minimum=8_000)  # Hz, the same for both sides
TARGET_LUFS = -23.0  # EBU R128, integrated over the whole dialogue
ALLOWED_AUDIO_HOSTS = [host for host in environment.text("EARSHOT_AUDIO_HOSTS").split(",") if host]

# --- Jobs -------------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL or "filesystem://"
BROKER_DIR = DATA_DIR / "broker"
if REDIS_URL:
    # The job's row is the truth, so an unacknowledged message need not wait an hour to come back.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"visibility_timeout": 6 * 3600}
else:
    for folder in ("queue", "processed", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": BROKER_DIR / "queue",
        "data_folder_out": BROKER_DIR / "queue",
        "processed_folder": BROKER_DIR / "processed",
        "control_folder": BROKER_DIR / "control",
        "store_processed": False,
        "polling_interval": 0.05,
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # the reaper brings a lost job back, with the next fencing number
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
JOB_HEARTBEAT_SECONDS = environment.number("EARSHOT_JOB_HEARTBEAT_SECONDS", 3.0, float, minimum=0.1)
JOB_SILENCE_SECONDS = environment.number(
    "EARSHOT_JOB_SILENCE_SECONDS", 30.0, float, minimum=0.5
)  # then the reaper acts
REAPER_SECONDS = environment.number("EARSHOT_REAPER_SECONDS", 10.0, float, minimum=0.2)
TRAIN_PROCESSES = environment.number("EARSHOT_TRAIN_PROCESSES", 1, int, minimum=1)  # of one training; one per device
CELERY_BEAT_SCHEDULE = {
    "reap-jobs": {"task": "jobs.reap", "schedule": REAPER_SECONDS, "options": {"expires": REAPER_SECONDS}},
    "keep-queues-fresh": {"task": "annotation.keep_queues_fresh", "schedule": 20.0, "options": {"expires": 20}},
    "update-statistics": {"task": "annotation.update_due_statistics", "schedule": 60.0, "options": {"expires": 60}},
    "expire-leases": {"task": "annotation.expire_leases", "schedule": 60.0, "options": {"expires": 60}},
}

# --- People -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["earshot.accounts.backends.PeopleOnly"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "earshot.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {
    "login": "earshot.accounts.forms.LoginForm",
    "add_email": "earshot.accounts.forms.AddEmailForm",
    "reset_password": "earshot.accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "earshot.accounts.forms.ResetPasswordKeyForm",
    "set_password": "earshot.accounts.forms.SetPasswordForm",
    "change_password": "earshot.accounts.forms.ChangePasswordForm",
    "reauthenticate": "earshot.accounts.forms.ReauthenticateForm",
}
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "join": "60/m/ip",  # by an invitation link: a class behind one address comes within a minute
    "join_refused": "10/m/ip",
}
# Behind proxies the limits above count by the address that the outermost trusted one saw, not by the proxy's own.
ALLAUTH_TRUSTED_PROXY_COUNT = environment.number("EARSHOT_TRUSTED_PROXIES", 0, int, minimum=0)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Earshot"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # people are added by an admin, who knows whose address it is
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
EMAIL_BACKEND = environment.text("EARSHOT_EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = environment.text("EARSHOT_SMTP_HOST", "localhost")
DEFAULT_FROM_EMAIL = environment.text("EARSHOT_MAIL_FROM", "earshot@localhost")

# --- Words and numbers ------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
KNOWN_LANGUAGES = {"en": "English", "zh-hans": "简体中文", "ja": "日本語"}  # each by its own name
# A page in two languages serves nobody: docs/languages.md says when one is complete.
COMPLETE_LANGUAGES = ["en", "zh-hans", "ja"]
# More of them than the complete ones is for translators, who look at their work.
OFFERED_LANGUAGES = environment.text("EARSHOT_LANGUAGES", ",".join(COMPLETE_LANGUAGES)).split(",")
if unknown := [code for code in OFFERED_LANGUAGES if code not in KNOWN_LANGUAGES]:
    raise ImproperlyConfigured(f"EARSHOT_LANGUAGES names {unknown[0]!r}. Earshot knows {', '.join(KNOWN_LANGUAGES)}.")
LANGUAGES = [(code, KNOWN_LANGUAGES[code]) for code in OFFERED_LANGUAGES]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
LOCALE_PATHS = [ROOT / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": environment.text("EARSHOT_LOG_LEVEL", "INFO")},
}
