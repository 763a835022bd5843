import time

from celery import Celery, shared_task

from monitio_celery import notify_user, track

app = Celery("minimal")
app.config_from_object("django.conf:settings", namespace="CELERY")


@shared_task
@notify_user(title="Sheep", progress="{done} of {total}", success="All {result} are asleep.")
def count_sheep(number: int) -> int:
    for _sheep in track(range(number)):
        time.sleep(0.1)
    return number
