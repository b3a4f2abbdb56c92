#!/bin/sh
# What one container runs. `exec`, so that Docker's SIGTERM reaches the program itself.
set -eu
concurrency="${EARSHOT_WORKER_CONCURRENCY:-2}"
case "${1:-web}" in
    prepare)
        python deploy/make_bucket.py
        exec python manage.py migrate --noinput ;;
    web)
        exec gunicorn earshot.wsgi --bind 0.0.0.0:8000 --worker-class gthread --no-control-socket \
            --workers "${EARSHOT_WEB_WORKERS:-3}" --threads 8 --timeout 120 --graceful-timeout 20 \
            --worker-tmp-dir /dev/shm --access-logfile - ;;
    worker-cpu)
        exec celery -A earshot.celery worker -Q cpu --concurrency "$concurrency" --loglevel INFO ;;
    worker-gpu)
        # One job at a time: it takes all GPUs of the machine (accelerate launch).
        exec celery -A earshot.celery worker -Q gpu --concurrency 1 --loglevel INFO ;;
    scheduler)
        exec celery -A earshot.celery beat --loglevel INFO --pidfile= --schedule /data/beat-schedule ;;
    manage)
        shift
        exec python manage.py "$@" ;;
    *)
        echo "entrypoint: there is no role '$1'. Roles: prepare, web, worker-cpu, worker-gpu, scheduler, manage." >&2
        exit 2 ;;
esac
