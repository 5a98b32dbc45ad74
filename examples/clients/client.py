"""Gives one order or asks one question over AMQP, and prints the answer as JSON. Needs only pika.

    python client.py amqp://user:password@host/vhost SetLimit limit=4
    python client.py amqp://user:password@host/vhost SubmitProject definition=@project.yml template=@template.yml

A value is JSON (so a number as text is '"7"'), or else text; `@FILE` is the text of a file. Exit status:
0 done, 1 refused, 2 not answered.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

import pika
from pika.exceptions import AMQPError

EXCHANGE, REPLY_TO = "beagle.commands", "amq.rabbitmq.reply-to"
TRIES, PATIENCE = 4, 10.0


def command(kind: str, **fields: object) -> dict[str, object]:
    """The id says that it is the same one, however often it is sent: it is applied once."""
    return {"type": kind, "id": os.urandom(12).hex(), "time": time.time(), "v": 1, **fields}


def send(url: str, body: dict[str, object]) -> dict[str, object] | None:
    """The answer, or None when none came in time. It may have been applied all the same: send the very same again."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    answers: list[bytes] = []
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_consume(REPLY_TO, lambda _c, _m, _p, answer: answers.append(answer), auto_ack=True)
        key = "gateway." + re.sub(r"(?<!^)(?=[A-Z])", "_", str(body["type"])).lower()
        properties = pika.BasicProperties(
            content_type="application/json", delivery_mode=2, reply_to=REPLY_TO, correlation_id=str(body["id"])
        )
        channel.basic_publish(EXCHANGE, key, json.dumps(body).encode(), properties, mandatory=True)
        until = time.monotonic() + PATIENCE
        while not answers and time.monotonic() < until:
            connection.process_data_events(time_limit=0.1)
    finally:
        connection.close()
    return json.loads(answers[0]) if answers else None


def ask(url: str, kind: str, **fields: object) -> dict[str, object]:
    """Sends the same command again until it is answered. Raises `TimeoutError` when it never is."""
    body = command(kind, **fields)
    for attempt in range(TRIES):
        try:
            answer = send(url, body)
        except AMQPError as error:  # the broker is away, or nobody has declared the exchange yet
            print(f"{kind}: {error!r}", file=sys.stderr)
            answer = None
        if answer is not None:
            return answer
        time.sleep(2**attempt * 0.2)
    raise TimeoutError(f"{kind} was not answered in {TRIES} tries")


def value(text: str) -> object:
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:  # noqa: PTH123 - a script that needs nothing
            return file.read()
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> int:
    url, kind, *words = sys.argv[1:]
    fields = {name: value(text) for name, _, text in (word.partition("=") for word in words)}
    try:
        answer = ask(url, kind, **fields)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(answer))
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
