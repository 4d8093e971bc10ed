"""The work as Celery's tasks, each with a name by which beat finds it."""

from celery import shared_task

from . import tasks

noop = shared_task(name="noop")(tasks.noop)
outside = shared_task(name="outside")(tasks.outside)
nap = shared_task(name="nap")(tasks.nap)
outside_nap = shared_task(name="outside_nap")(tasks.outside_nap)
tick = shared_task(name="tick")(tasks.tick)
head = shared_task(name="head")(tasks.head)
tail = shared_task(name="tail")(tasks.tail)
