"""What a template may do to the machine and to others: only what is known to be harmless, and what is permitted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.dangers import DANGERS
from beagle.errors import InvalidInput
from beagle.orchestrators.permits import RULES, refused
from beagle.settings import Settings, load
from beagle.template_file import read_template

TRUSTED = Settings(trusted="yes")
SERVICE = [
    ("privileged", "privileged: true", "privileged"),
    ("privileged", "privileged: ${X:-true}", "privileged"),
    ("privileged", "privileged: 'true'", "privileged"),
    ("privileged", "post_start: [{command: x, privileged: true}]", "post_start[1].privileged"),
    ("privileged", "pre_stop: [{command: x}, {command: x, privileged: $X}]", "pre_stop[2].privileged"),
    ("host-namespaces", "network_mode: host", "network_mode"),
    ("host-namespaces", "network_mode: '${X:-host}'", "network_mode"),
    ("host-namespaces", "network_mode: container:other", "network_mode"),
    ("host-namespaces", "network_mode: network_of_others", "network_mode"),
    ("host-namespaces", "pid: host", "pid"),
    ("host-namespaces", "pid: 'service:${X}'", "pid"),
    ("host-namespaces", "ipc: host", "ipc"),
    ("host-namespaces", "ipc: container:other", "ipc"),
    ("host-namespaces", "uts: host", "uts"),
    ("host-namespaces", "userns_mode: host", "userns_mode"),
    ("host-namespaces", "cgroup: host", "cgroup"),
    ("docker-socket", "use_api_socket: true", "use_api_socket"),
    ("docker-socket", "volumes: ['/var/run/docker.sock:/s']", "volumes[1]"),
    ("docker-socket", "volumes: ['/run/user/1/podman/PODMAN.SOCK:/s:ro']", "volumes[1]"),
    ("docker-socket", "volumes: [{type: bind, source: /x/../run/docker.sock/., target: /s}]", "volumes[1]"),
    ("docker-socket", "volumes: [{type: npipe, source: '//./pipe/docker_engine', target: /s}]", "volumes[1]"),
    ("binds", "volumes: ['a:/x', '/:/host']", "volumes[2]"),
    ("binds", "volumes: ['/etc:/x:ro']", "volumes[1]"),
    ("binds", "volumes: ['.:/x']", "volumes[1]"),
    ("binds", "volumes: ['../..:/x']", "volumes[1]"),
    ("binds", "volumes: ['~:/x']", "volumes[1]"),
    ("binds", "volumes: ['~/.ssh:/x']", "volumes[1]"),
    ("binds", "volumes: ['${HOME}:/x']", "volumes[1]"),
    ("binds", "volumes: ['${X:-/etc}:/x']", "volumes[1]"),
    ("binds", "volumes: ['${X}']", "volumes[1]"),
    ("binds", "volumes: ['a${X}:/x']", "volumes[1]"),
    ("binds", "volumes: ['C:/x:/y:ro']", "volumes[1]"),
    ("binds", "volumes: ['C:/:/x']", "volumes[1]"),
    ("binds", "volumes: /:/host", "volumes"),
    ("binds", "volumes: {a: '/:/host'}", "volumes.a"),
    ("binds", "volumes: [{type: bind, source: /etc, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{type: bind, source: a, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{type: bind, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{type: '${X}', source: /etc, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{type: volume, source: /etc, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{type: tmpfs, source: /etc, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{source: /etc, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [{type: volume, src: /etc, target: /x}]", "volumes[1]"),
    ("binds", "volumes: [5]", "volumes[1]"),
    ("volume-drivers", "volume_driver: rexray", "volume_driver"),
    ("external", "volumes: ['of_others:/x']", "volumes[1]"),
    ("external", "volumes: [{type: volume, source: of_others, target: /x}]", "volumes[1]"),
    ("external", "volumes: [{type: cluster, source: x, target: /x}]", "volumes[1]"),
    ("external", "volumes_from: [b, 'container:other:rw']", "volumes_from[2]"),
    ("external", "volumes_from: ['${X}']", "volumes_from[1]"),
    ("external", "external_links: [other]", "external_links"),
    ("capabilities", "cap_add: [SYS_ADMIN]", "cap_add"),
    ("devices", "devices: ['/dev/sda:/dev/sda']", "devices"),
    ("devices", "device_cgroup_rules: ['a *:* rwm']", "device_cgroup_rules"),
    ("devices", "gpus: [{driver: cdi, device_ids: [x/y=z]}]", "gpus[1].driver"),
    (
        "devices",
        "deploy: {resources: {reservations: {devices: [{driver: cdi, capabilities: [gpu]}]}}}",
        "deploy.resources.reservations.devices[1].driver",
    ),
    ("security-options", "security_opt: ['seccomp:unconfined']", "security_opt[1]"),
    ("security-options", "security_opt: apparmor=unconfined", "security_opt"),
    ("security-options", "security_opt: ['no-new-privileges:false']", "security_opt[1]"),
    ("sysctls", "sysctls: {kernel.msgmax: 1}", "sysctls"),
    ("server-files", "extends: {file: other.yml, service: x}", "extends.file"),
    ("server-files", "env_file: /etc/passwd", "env_file"),
    ("server-files", "env_file: [{path: x, required: false}]", "env_file"),
    ("server-files", "label_file: x", "label_file"),
    ("server-files", "credential_spec: {file: x}", "credential_spec"),
    ("server-files", "develop: {watch: [{path: /etc, action: sync, target: /x}]}", "develop"),
    ("build", "build: .", "build"),
    ("build", "build: {dockerfile_inline: FROM x, privileged: true}", "build"),
    ("runtime", "runtime: other", "runtime"),
    ("runtime", "isolation: process", "isolation"),
    ("runtime", "annotations: {x: y}", "annotations"),
    ("runtime", "init: /usr/local/bin/other", "init"),
    ("resources", "cgroup_parent: /", "cgroup_parent"),
    ("resources", "oom_kill_disable: true", "oom_kill_disable"),
    ("resources", "oom_score_adj: -1000", "oom_score_adj"),
    ("resources", "oom_score_adj: ${X}", "oom_score_adj"),
    ("resources", "cpu_rt_period: 1", "cpu_rt_period"),
    ("resources", "cpu_rt_runtime: 1", "cpu_rt_runtime"),
    ("networks", "networks: {default: {driver_opts: {a: b}}}", "networks.default.driver_opts"),
    ("networks", "networks: {default: {aliases: [rabbitmq]}}", "networks.default.aliases"),
    ("networks", "networks: {default: {ipv4_address: 172.17.0.2}}", "networks.default.ipv4_address"),
    ("networks", "networks: {default: {ipv6_address: '::2'}}", "networks.default.ipv6_address"),
    ("networks", "networks: {default: {link_local_ips: ['169.254.1.1']}}", "networks.default.link_local_ips"),
    ("networks", "networks: {default: {mac_address: '02:42:ac:11:00:02'}}", "networks.default.mac_address"),
    ("external", "networks: [beagle_network]", "networks"),
    ("external", "networks: {beagle_network: {priority: 1}}", "networks"),
    ("external", "networks: ['${X}']", "networks"),
    ("logging", "logging: {driver: syslog, options: {syslog-address: 'unixgram:///dev/log'}}", "logging.driver"),
    ("logging", "logging: {options: {syslog-address: 'tcp://10.0.0.1:22'}}", "logging.options"),
    ("provider", "provider: {type: sh}", "provider"),
]
BESIDE = [
    ("external", "volumes: {a: {external: true}}", "volumes.a.external"),
    ("external", "volumes: {a: {external: {name: b}}}", "volumes.a.external"),
    ("external", "volumes: {a: {name: of_others}}", "volumes.a.name"),
    ("external", "networks: {a: {external: true}}", "networks.a.external"),
    ("external", "networks: {default: {external: {name: host}}}", "networks.default.external"),
    ("external", "networks: {default: {external: '${X:-true}', name: ours}}", None),
    ("external", "networks: {default: {name: of_others}}", "networks.default.name"),
    ("external", "networks: {default: {external: true, name: '${X:-ours}'}}", "networks.default.external"),
    ("external", "secrets: {a: {external: true}}", "secrets.a.external"),
    ("external", "configs: {a: {external: true}}", "configs.a.external"),
    ("volume-drivers", "volumes: {a: {driver: nfs}}", "volumes.a.driver"),
    ("volume-drivers", "volumes: {a: {driver: $X}}", "volumes.a.driver"),
    ("volume-drivers", "volumes: {a: {driver_opts: {type: ext4, device: /dev/sda1}}}", "volumes.a.driver_opts"),
    ("volume-drivers", "volumes: {a: {driver_opts: {type: nfs, o: addr=x, device: ':/'}}}", "volumes.a.driver_opts"),
    (
        "volume-drivers",
        "volumes: {a: {driver_opts: {type: overlay, o: 'lowerdir=/etc:/x', device: o}}}",
        "volumes.a.driver_opts",
    ),
    ("volume-drivers", "volumes: {a: {driver_opts: {type: '${X}', o: $Y, device: z}}}", "volumes.a.driver_opts"),
    ("volume-drivers", "volumes: {a: {driver_opts: {device: /etc}}}", "volumes.a.driver_opts"),
    ("volume-drivers", "volumes: {a: {driver_opts: {mountpoint: /etc}}}", "volumes.a.driver_opts"),
    ("volume-drivers", "volumes: {a: {driver_opts: [type=ext4]}}", "volumes.a.driver_opts"),
    (
        "volume-drivers",
        "volumes: {a: {driver_opts: {type: tmpfs, o: 'size=1m,bind', device: /etc}}}",
        "volumes.a.driver_opts",
    ),
    ("binds", "volumes: {a: {driver_opts: {type: none, o: bind, device: /etc}}}", "volumes.a.driver_opts.device"),
    ("binds", "volumes: {a: {driver_opts: {o: 'ro,rbind', device: /etc}}}", "volumes.a.driver_opts.device"),
    ("binds", "volumes: {a: {driver_opts: {o: bind, device: '${X}'}}}", "volumes.a.driver_opts.device"),
    ("server-files", "include: [other.yml]", "include"),
    ("server-files", "secrets: {a: {file: /etc/shadow}}", "secrets.a.file"),
    ("server-files", "secrets: {a: {environment: BEAGLE_TOKEN}}", "secrets.a.environment"),
    ("server-files", "configs: {a: {file: /etc/shadow}}", "configs.a.file"),
    ("server-files", "configs: {a: {environment: BEAGLE_TOKEN}}", "configs.a.environment"),
    ("runtime", "secrets: {a: {driver: x}}", "secrets.a.driver"),
    ("runtime", "secrets: {a: {template_driver: x}}", "secrets.a.template_driver"),
    ("runtime", "configs: {a: {template_driver: x}}", "configs.a.template_driver"),
    ("networks", "networks: {a: {driver: macvlan}}", "networks.a.driver"),
    ("networks", "networks: {a: {driver: host}}", "networks.a.driver"),
    (
        "networks",
        "networks: {a: {driver_opts: {com.docker.network.bridge.name: docker0}}}",
        "networks.a.driver_opts",
    ),
    ("networks", "networks: {a: {ipam: {config: [{subnet: 8.8.8.0/24}]}}}", "networks.a.ipam"),
    ("provider", "models: {a: {model: x}}", "models"),
]
HARMLESS = """\
version: "3.8"
services:
  a:
    image: registry.example/model:${TAG:-1}
    command: sh -c 'echo $$X'
    environment: {X: "${HOME}", Y: $Z}
    privileged: false
    network_mode:
    ipc: shareable
    pid: service:b
    cap_drop: [ALL]
    cap_add: []
    init: true
    security_opt: ["no-new-privileges:true"]
    gpus: all
    deploy:
      resources:
        limits: {cpus: "1", memory: 1g}
        reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}
    volumes:
      - /anonymous
      - cache:/cache
      - cache:/again:ro
      - {type: volume, source: quick, target: /quick}
      - {type: tmpfs, target: /tmp}
      - {type: image, source: registry.example/data, target: /data}
    tmpfs: [/run]
    shm_size: 2g
    ulimits: {memlock: -1}
    ports: ["8080"]
    extra_hosts: ["host.docker.internal:host-gateway"]
    oom_score_adj: 500
    logging: {driver: json-file, options: {max-size: 10m}}
    networks: [default, own]
    extends: {service: b}
  b:
    image: x
    ipc: private
    extends: c
    volumes_from: ["a:ro"]
    networks: {own: {aliases: [data]}}
  c: {image: x, network_mode: none, cgroup: private, configs: [inline]}
volumes:
  cache:
  quick: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: "size=100m,uid=1000"}}
networks:
  default: {}
  own: {driver: bridge, internal: true}
configs: {inline: {content: "x: 1"}}
x-anything: {privileged: true}
"""


def refusals(text: str, settings: Settings | None = None) -> list[str]:
    return refused(read_template(text, "t.yml", "/srv"), settings or Settings())


def service(field: str) -> str:
    return f"services:\n  a:\n    image: x\n    {field}\nvolumes: {{a: {{}}}}\n"


def beside(field: str) -> str:
    return f"services: {{a: {{image: x}}}}\n\n\n{field}\n"


CASES = [(word, service(field), f"services.a.{place}") for word, field, place in SERVICE] + [
    (word, beside(field), place) for word, field, place in BESIDE if place is not None
]
NAMES = [field for _, field, _ in SERVICE] + [field for _, field, place in BESIDE if place is not None]


@pytest.mark.parametrize(("word", "text", "place"), CASES, ids=NAMES)
def test_a_danger_is_refused_with_its_line_its_field_and_the_word_that_permits_it(word, text, place):
    found = refusals(text)
    assert len([sentence for sentence in found if sentence.startswith(f"t.yml:4: {place}: ")]) == 1, found
    assert all(sentence.endswith(f"the word {word} in the setting permit") for sentence in found[:1])
    assert DANGERS[word] in found[0]


@pytest.mark.parametrize(("word", "text", "place"), CASES, ids=NAMES)
def test_its_word_permits_it_and_all_other_words_do_not(word, text, place):
    assert refusals(text, Settings(permit=word)) == []
    others = ",".join(each for each in DANGERS if each != word)
    assert len(refusals(text, Settings(permit=others))) == len(refusals(text))


@pytest.mark.parametrize(("word", "text", "place"), CASES, ids=NAMES)
def test_a_trusted_deployment_refuses_nothing(word, text, place):
    assert refusals(text, TRUSTED) == []


def test_every_word_and_every_rule_is_tried_here():
    assert {word for word, _, _ in CASES} == set(DANGERS)
    tried = {
        (word, "/".join("*" if part.isdigit() or part in {"a", "default"} else part for part in _parts(place)))
        for word, _, place in CASES
    }
    missing = {
        (rule.word, rule.place) for rule in RULES if (rule.word, _stars(rule.place)) not in {(w, p) for w, p in tried}
    }
    assert missing == set()


def _parts(place: str) -> list[str]:
    return place.replace("[", ".").replace("]", "").split(".")


def _stars(place: str) -> str:
    return place.replace(".default.", ".*.").replace(".", "/")


def test_what_is_harmless_passes():
    assert refusals(HARMLESS) == []


def test_the_network_that_experiments_join_anyway_may_be_named():
    for network in ("external: true, name: ours", "external: {name: ours}", "name: ours"):
        text = beside(f"networks: {{default: {{{network}}}}}")
        assert refusals(text, Settings(network="ours")) == []
        assert len(refusals(text, Settings(network="auto"))) == 1
    assert refusals(beside("networks: {ours: {external: true}}"), Settings(network="ours")) == []


def test_nobody_takes_a_name_in_the_network_that_all_experiments_join():
    text = "services: {a: {image: x, networks: {n: {aliases: [rabbitmq]}}}}\nnetworks: {n: {external: true, name: N}}\n"
    (found,) = refusals(text, Settings(network="N"))
    assert found.startswith("t.yml:1: services.a.networks.n.aliases: would give")
    assert refusals(text.replace("external: true, name: N", ""), Settings(network="N")) == []


def test_all_dangers_are_told_at_once_in_the_order_of_the_file():
    text = "include: [x]\nservices:\n  a:\n    cap_add: [X]\n    privileged: true\nnetworks: {a: {driver: host}}\n"
    assert [sentence.split(":")[1] for sentence in refusals(text)] == ["1", "4", "5", "6"]


def test_a_word_that_is_no_danger_is_told_when_the_settings_are_read():
    with pytest.raises(InvalidInput, match="PERMIT: is 'privilege'; give some of these"):
        load({}, {"BEAGLE_PERMIT": "privilege"})


FOLDERS = "/data,/scratch:rw,/data/own:rw"


@pytest.mark.parametrize(
    ("mount", "passes"),
    [
        ("/data:/x:ro", True),
        ("/data/a/b:/x:ro", True),
        ("//data//a/./b/:/x:ro,z", True),
        ("/data:/x", False),
        ("/data:/x:rw", False),
        ("/data2:/x:ro", False),
        ("/data/../etc:/x:ro", False),
        ("/:/x:ro", False),
        ("/scratch:/x", True),
        ("/scratch/:/x:ro", True),
        ("/scratch/a:/x", False),
        ("/scratch/a:/x:ro", False),
        ("/data/own:/x", True),
        ("/data/own/a:/x:ro", False),
        ("/data/$X:/x:ro", False),
        ("/data/a.sock:/x:ro", False),
    ],
)
def test_a_bind_is_permitted_read_only_in_a_folder_or_of_one_for_writing_as_a_whole(mount, passes):
    settings = Settings(permit_folders=FOLDERS)
    assert (refusals(service(f"volumes: ['{mount}']"), settings) == []) is passes
    source, target, *mode = mount.split(":")
    entry = {"type": "bind", "source": source, "target": target, "read_only": "ro" in "".join(mode)}
    assert (refusals(service(f"volumes: [{json.dumps(entry)}]"), settings) == []) is passes


def test_a_volume_that_is_a_bind_is_judged_as_one_that_may_be_written():
    def volume(device: str) -> str:
        return beside(f"volumes: {{a: {{driver_opts: {{type: none, o: 'bind,ro', device: {device}}}}}}}")

    settings = Settings(permit_folders=FOLDERS)
    assert refusals(volume("/scratch"), settings) == []
    assert len(refusals(volume("/data"), settings)) == 1


PIECES = st.sampled_from(
    ["/", "//", "/./", "/../", "..", ".", "~", "$HOME", "${X:-/etc}", "etc", "data", "ro", " ", "\\"]
)
MODES = st.sampled_from(["", ":ro", ":rw", ":z", ":ro,z", ":rshared", ":cached"])


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join), MODES, st.booleans())
def test_no_spelling_of_a_bind_outside_the_permitted_folders_passes(source, mode, long):
    if long:
        entry = {"type": "bind", "source": source, "target": "/x", "read_only": mode == ":ro"}
    else:
        entry = f"{source}:/x{mode}"
    document = {"services": {"a": {"image": "x", "volumes": [entry]}}}
    template = read_template(json.dumps(document), "t.json", "/srv")
    assert len(refused(template, Settings())) == 1
    if refused(template, Settings(permit_folders="/data")) == []:
        plain = [part for part in source.split("/") if part not in {"", "."}]
        assert source.startswith("/")
        assert plain[0] == "data"
        assert ".." not in plain
        assert "$" not in source


@given(st.sampled_from([rule for rule in RULES if "*" in rule.place]), st.sampled_from(["${X}", "$X", "${X:-host}"]))
def test_no_variable_stands_where_a_danger_could_be(rule, variable):
    value: object = variable
    for part in reversed(rule.place.split(".")):
        value = {("a" if part == "*" else part): value}
    document = {"services": {"a": {"image": "x"}}} | value
    document["services"]["a"] |= {"image": "x"}
    found = refused(read_template(json.dumps(document), "t.json", "/srv"), Settings())
    assert any(sentence.endswith(f"the word {rule.word} in the setting permit") for sentence in found)
