"""The Helm chart's values: what it takes and refuses, and the configuration that they make."""

import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml

from conftest import (BY_VALUES, CHART, ROOT, VALUES, config, objects, program, run, server,
                      template)


@pytest.mark.parametrize("values, message", [
    ("replicas=3", "additional properties 'replicas' not allowed"),
    ("replicaCount=two", "got string, want integer"),
    ("image.pullPolicy=Sometimes", "image/pullPolicy"),
    ("image.digest=sha256:12", "image/digest"),
    ("gpu.resourceName=gpu", "gpu/resourceName"),
    ("gpu.count=0", "minimum: got 0, want 1"),
    ("models.list[0].id=SD 1.5", "models/list/0/id"),
    ("models.list[0].id=sd15", "missing property 'path'"),
    ("autoscaling.minReplicas=0", "minimum: got 0, want 1"),
    ("autoscaling.kind=vpa", "autoscaling/kind"),
    ("drain.graceSeconds=-1", "minimum: got -1, want 0"),
    ("service.grpcPort=70000", "maximum"),
    ("service.sessionAffinity=Cookie", "service/sessionAffinity"),
    ("results.size=lots", "results/size"),
    ("resources.limits.memory=much", "resources/limits/memory"),
    ("ingress.enabled=true", "ingress/hosts"),
    ("gateway.enabled=true", "gateway/parentRefs"),
    ("tls.certificate=x", "additional properties 'certificate' not allowed"),
    # What a schema cannot see.
    ("insecure=false", "nothing says who may call"),
    ("auth.keysSecret.name=k", "set insecure to false"),
    ("service.type=LoadBalancer", "would serve strangers"),
    ("auth.jwt.secretName=j", "needs auth.jwt.issuer"),
    ("tls.clientCaSecretName=c", "needs tls.secretName"),
    ("http.clientCaSecretName=c", "http.clientCaSecretName needs tls.secretName"),
    # Certificates of gRPC's clients let nobody in by HTTP, nor the other way round.
    ("insecure=false,tls.secretName=t,tls.clientCaSecretName=c", "nothing says who may call"),
    ("insecure=false,tls.secretName=t,http.clientCaSecretName=c", "nothing says who may call"),
    ("modelAdmin.enabled=yes", "got string, want boolean"),
    ("modelAdmin.port=1", "additional properties 'port' not allowed"),
    ("modelAdmin.enabled=true", "modelAdmin.enabled would serve nobody"),
    ("modelAdmin.enabled=true,config.admin_api=open,config.admin_listen=127.0.0.1:1",
     "set one of them"),
    ("networkPolicy.modelAdminFrom[0].podSelector.matchLabels.app=a", "needs modelAdmin.enabled"),
    ("models.volume.existingClaim=a,models.volume.mountImage.reference=b", "only one of"),
    ("models.volume.create=true", "models.volume.fromImage"),
    ("models.volume.create=true,models.volume.fromImage.reference=a,replicaCount=2",
     "ReadWriteMany"),
    ("models.volume.create=true,models.volume.fromImage.reference=a,autoscaling.kind=keda",
     "autoscaling.maxReplicas 4 needs ReadWriteMany"),
    ("results.enabled=true,autoscaling.kind=keda", "set autoscaling.kind to none"),
    ("autoscaling.busyShare=2", "autoscaling/busyShare"),
    ("tls.publicAddress=genzo.example.org:50051", "needs tls.secretName"),
    ("tls.publicAddress=https://genzo.example.org", "tls/publicAddress"),
    ("models.watchVolume=true", "needs a volume"),
    ("bots.discord.enabled=true", "needs bots.discord.secretName"),
    ("bots.line.enabled=true,bots.line.secretName=s", "needs bots.publicUrl"),
    ("bots.publicUrl=http://bots", "bots/publicUrl"),
    ("bots.irc.enabled=true", "additional properties 'irc' not allowed"),
    ("bots.running=0", "minimum: got 0, want 1"),
    ("bots.telegram.enabled=true,bots.telegram.secretName=s,insecure=false,auth.keysSecret.name=k",
     "set bots.apiKeySecret.name"),
    ("bots.telegram.enabled=true,bots.telegram.secretName=s,bots.publicUrl=https://b,"
     "bots.ingress.enabled=true", "needs a bot that is called"),
    ("autoscaling.kind=hpa,autoscaling.minReplicas=5", "is less than autoscaling.minReplicas 5"),
    ("config.listen=0.0.0.0:1", "config.listen is made by the chart; use service.grpcPort"),
    ("config.http.client_ca_file=/c", "use http.clientCaSecretName"),
    ("config.http.key=/k", "config.http.key is made by the chart; use tls.secretName"),
    ("config.jobs.results_mb=1", "use results.megabytes"),
    # What the server would refuse at every start.
    ("config.nonsense=1", "additional properties 'nonsense' not allowed"),
    ("config.limits.max_stepz=1", "additional properties 'max_stepz' not allowed"),
    ("config.channelz=true", "config.channelz asks nobody for a key"),
    ("config.channelz=yes", "got string, want boolean"),
    ("config.queue_capacity=abc", "got string, want integer"),
    ("config.queue_capacity=0", "minimum: got 0, want 1"),
    ("config.safety.policy=hide", "config/safety/policy"),
    ("config.loras=/models/loras", "got string, want array"),
    ("models.default=nope", "models.default nope is none of models.list: emaki"),
    ("models.list[0].id=a,models.list[0].path=/a,models.list[1].id=a,models.list[1].path=/b",
     "models.list has an id twice: a, a"),
    ("config.webhooks.hosts={hooks.example.org}", "needs webhooks.secret.name"),
    ("config.kept_latents.total_mb=8", "tenant_mb is over config.kept_latents.total_mb 8"),
    ("results.enabled=true,results.size=1Gi,results.megabytes=50000",
     "results.megabytes 50000 do not fit into results.size 1Gi"),
    # A gigabyte has 953 of them.
    ("results.enabled=true,results.size=1G,results.megabytes=954", "do not fit"),
    ("results.enabled=true,results.size=1Gi,results.megabytes=1000,config.result_cache.mb=25,"
     "config.result_cache.folder=/var/lib/genzo/cache",
     "results.megabytes 1000 and config.result_cache.mb 25 do not fit into results.size 1Gi"),
    ("results.megabytes=2000000", "results/megabytes': maximum"),
    ("results.enabled=true,config.result_cache.folder=/var/lib/genzo/./results/",
     "give the cache a folder of its own"),
])
def test_refuses(values, message):
    _, error = template(None, "--set", values, ok=False)
    assert message in error


@pytest.mark.parametrize("values", [
    # Of the volume, whatever it has.
    "models.default=nope,models.watchVolume=true,models.volume.existingClaim=c",
    "results.enabled=true,results.size=1Gi,results.megabytes=1024",
    "results.enabled=true,results.size=1G,results.megabytes=953",
    "results.enabled=true,results.size=0.5Ti,results.megabytes=524288",
    # Elsewhere, or in memory.
    "results.enabled=true,results.size=1Gi,results.megabytes=1024,config.result_cache.mb=512",
    "config.result_cache.folder=/var/lib/genzo/results",
    "config.webhooks.hosts={hooks.example.org},webhooks.secret.name=s",
    "config.admin_listen=127.0.0.1:50052",
    "config.channelz=true,config.admin_listen=127.0.0.1:50052,config.reflection=false",
    "modelAdmin.enabled=true,config.admin_api=open",
])
def test_takes(values):
    template(None, "--set", values)


@pytest.mark.parametrize("door", ["ingress", "gateway"])
@pytest.mark.parametrize("http, share", [
    ({}, 1024),
    ({"max_connections": 200}, 200),
    ({"max_connections": 200, "max_connections_per_address": 20}, 20),
    ({"max_connections_per_address": 0}, 0),
])
def test_the_one_address_of_an_ingress_may_have_all_connections(door, http, share):
    def made(*more):
        found = objects(None, "--set-json", f"config.http={json.dumps(http)}", *more)
        return config(found)["http"].get("max_connections_per_address")

    where = {"ingress": "ingress.hosts[0].host=genzo.example.org,ingress.hosts[0].path=/",
             "gateway": "gateway.parentRefs[0].name=shared"}[door]
    assert made("--set", f"{door}.enabled=true,{where}") == share
    assert made() == http.get("max_connections_per_address"), "callers come by themselves"


def test_a_cache_beside_no_results_has_room():
    def limit(*more):
        pod = server(objects(None, *more))["spec"]["template"]["spec"]
        [data] = [v for v in pod["volumes"] if v["name"] == "data"]
        return data["emptyDir"]["sizeLimit"]

    cache = "config.result_cache.mb=4096,config.result_cache.folder="
    assert limit() == limit("--set", cache + "/srv/cache") == "1024Mi"
    assert limit("--set", cache + "/var/lib/genzo/cache") == "5120Mi"


SETTINGS = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]


def maps(schema, path=()):
    """The schema and those of the maps within it, by their paths."""
    yield path, schema
    for key, one in schema["properties"].items():
        if "properties" in one:
            yield from maps(one, (*path, key))


def settings():
    """The schema's settings that are no maps of others, by their paths."""
    return {(*path, key): one for path, schema in maps(SETTINGS)
            for key, one in schema["properties"].items() if "properties" not in one}


def test_config_has_the_servers_settings():
    """Those of the commented example, which fits it but for what the chart makes."""
    example = yaml.safe_load((ROOT / "deploy/genzo.yaml").read_text())

    def paths(node, path=()):
        whole = settings()
        for key, value in node.items():
            here = (*path, key)
            inside = isinstance(value, dict) and here not in whole
            yield from paths(value, here) if inside else [here]

    assert sorted(paths(example)) == sorted(settings())
    jsonschema.validate(example, SETTINGS)


def test_config_has_the_servers_ranges(tmp_path):
    """genzo-server takes both ends of each and every word, and no key that it does not know."""
    def check(values):
        text = {"models": [{"id": "emaki", "path": f"{ROOT}/models/emaki"}]}
        for path, value in values.items():
            inner = text
            for key in path[:-1]:
                inner = inner.setdefault(key, {})
            inner[path[-1]] = value
        file = tmp_path / "genzo.yaml"
        file.write_text(yaml.safe_dump(text))
        done = run(program("genzo-server"), "--config", file, "--check-config", ok=False)
        return done.stderr if done.returncode else ""

    numbers = {path: one for path, one in settings().items() if "minimum" in one}
    words = {path: one["enum"] for path, one in settings().items() if "enum" in one}
    assert len(numbers) > 30 and len(words) > 4
    values = [{path: one[end] for path, one in numbers.items()} for end in ("minimum", "maximum")]
    values += [{path: some[turn % len(some)] for path, some in words.items()}
               for turn in range(max(map(len, words.values())))]
    assert not [told for told in map(check, values) if told]
    for path, schema in maps(SETTINGS):
        assert schema["additionalProperties"] is False
        assert "unknown key " + ".".join((*path, "nonsense")) in check({(*path, "nonsense"): 1})


def test_refuses_an_old_kubernetes():
    assert "incompatible" in template(None, version="1.27.0", ok=False)[1]


@BY_VALUES
def test_server_takes_the_configuration(name, tmp_path):
    """genzo-server itself reads what the chart makes, with the pod's folders below another root."""
    made = objects(VALUES[name])
    text = made["ConfigMap", "r-genzo"]["data"]["genzo.yaml"]
    text = re.sub(r"(: )/(etc|var|models|usr)", rf"\1{tmp_path}/\2", text)
    settings = yaml.safe_load(text)
    # What is said to be there is looked at: each is the model in the box.
    for path in {model["path"] for model in settings.get("models", [])}:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(ROOT / "models/emaki", path)
    for folder in ("etc/genzo/keys", "etc/genzo/jwks", "etc/genzo/tls", "etc/genzo/client-ca",
                   "etc/genzo/http-client-ca", "etc/genzo/webhooks", "etc/genzo/link-key", "models",
                   "usr/share/genzo/page"):
        os.makedirs(tmp_path / folder, exist_ok=True)
    etc = tmp_path / "etc/genzo"
    (etc / "keys/keys.json").write_text('{"keys": []}')
    (etc / "jwks/jwks.json").write_text(json.dumps({"keys": [  # RFC 8037's
        {"kty": "OKP", "crv": "Ed25519", "kid": "a", "alg": "EdDSA",
         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}))
    for secret in ("webhooks/webhook.secret", "link-key/link.key"):
        (etc / secret).write_text("0123456789abcdef")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=genzo",
                    "-keyout", etc / "tls/tls.key", "-out", etc / "tls/tls.crt"], check=True,
                   capture_output=True)
    for authority in ("client-ca", "http-client-ca"):
        (etc / authority / "ca.crt").write_bytes((etc / "tls/tls.crt").read_bytes())
    file = tmp_path / "genzo.yaml"
    file.write_text(text)
    run(program("genzo-server"), "--config", file, "--check-config")
