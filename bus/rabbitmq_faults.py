"""What RabbitMQ and pika say of a failure, as one sentence without a password, and whether it is worth trying soon."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout
from pika.connection import Parameters
from pika.exceptions import (
    AMQPHeartbeatTimeout,
    AuthenticationError,
    ChannelClosed,
    ConnectionBlockedTimeout,
    ConnectionClosed,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    StreamLostError,
)

from bus.rabbitmq_address import place, user

_ACCESS_REFUSED, _NOT_FOUND, _PRECONDITION_FAILED, _NOT_ALLOWED = 403, 404, 406, 530


@dataclass(frozen=True, slots=True)
class Fault:
    """`lasting`: it does not go away by itself. `misconfigured`: the queues of this deployment are another's."""

    sentence: str
    lasting: bool = False
    misconfigured: bool = False


def fault(error: BaseException, parameters: Parameters) -> Fault:
    """Why the broker cannot be used now."""
    where = f"the broker at {place(parameters)}"
    for cause in _causes(error):
        match cause:
            case AuthenticationError() | ProbableAuthenticationError():
                return Fault(f"{where} does not know the user {user(parameters)} or its password", lasting=True)
            case ProbableAccessDeniedError():
                host = parameters.virtual_host
                return Fault(
                    f"{where}: there is no virtual host {host}, or the user {user(parameters)} may not use it",
                    lasting=True,
                )
            case ChannelClosed() | ConnectionClosed():
                return _closed(where, cause.reply_code, cause.reply_text)
            case AMQPHeartbeatTimeout():
                return Fault(f"{where} fell silent")
            case ConnectionBlockedTimeout():
                return Fault(f"{where} takes no messages: it is low on disk or memory")
            case StreamLostError():
                return Fault(f"{where} broke off the connection")
            case IncompatibleProtocolError():
                return Fault(
                    f"{where} does not answer as RabbitMQ does: check the host and the port, and whether it is amqps://"
                )
            case AMQPConnectorStackTimeout():
                return Fault(f"{where} does not answer in time")
            case ssl.SSLError():
                return _tls(where, cause)
            case OSError():
                return Fault(f"{where} cannot be reached: {cause.strerror or cause}")
            case _:
                pass
    return Fault(f"{where} is away: {type(error).__name__}")


def _tls(where: str, error: ssl.SSLError) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"has a certificate that is not trusted: {error.verify_message}"
        return Fault(f"{where} {why}; name the file of its authority in SSL_CERT_FILE", lasting=True)
    if error.reason == "WRONG_VERSION_NUMBER":
        return Fault(f"{where} does not speak TLS at that port: check whether it is amqp://", lasting=True)
    return Fault(f"{where} cannot be reached: {error.strerror or error}")


_DIFFERS = re.compile(r"inequivalent arg '(.+?)' for (\w+) '(.+?)' in vhost .*?: received (.+?) but current is (.+)")

_ABSENT = re.compile(r"no (exchange|queue) '(.+?)' in vhost")


def _closed(where: str, code: int, text: str) -> Fault:
    differs = _DIFFERS.search(text)
    if code == _PRECONDITION_FAILED and differs:
        argument, kind, name, wanted, present = differs.groups()
        return Fault(
            f"{where} has the {kind} {name} with another {argument} than this deployment wants: it is {present}, and "
            f"should be {wanted}; delete the {kind} there once it is empty, or use another virtual host",
            lasting=True,
            misconfigured=True,
        )
    absent = _ABSENT.search(text)
    if code == _NOT_FOUND and absent:
        return Fault(f"{where} has no {' '.join(absent.groups())}: no actor of Beagle has been there yet")
    if code in (_ACCESS_REFUSED, _NOT_ALLOWED):
        return Fault(f"{where} refuses: {text}", lasting=True)
    return Fault(f"{where} closed the connection: {code} {text}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error of pika, and all that it wraps, the innermost first."""
    inner = [getattr(error, "exception", None), *getattr(error, "exceptions", ()), error.__cause__, *error.args]
    for each in inner:
        if isinstance(each, BaseException):
            yield from _causes(each)
    yield error
