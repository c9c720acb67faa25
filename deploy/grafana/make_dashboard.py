#!/usr/bin/env python3
"""Writes genzo.json, the Grafana dashboard, from the table below.

`./dev check observe` fails if the committed file is another one, or if a query
names a metric or a label that a server under load does not have.
"""

import json
import pathlib

WIDTH = 24  # of Grafana's grid
HEIGHT = 7
# Targets outside Kubernetes have no namespace, which ".*" matches.
BY = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
MODEL = BY + ', model=~"$model"'


def rate(metric, labels=MODEL):
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def quantile(q, metric, by="", labels=MODEL):
    buckets = rate(metric + "_bucket", labels)
    return f"histogram_quantile({q}, sum by (le{by}) ({buckets}))"


def mean(metric, by, labels=MODEL):
    return (
        f"sum by ({by}) ({rate(metric + '_sum', labels)})"
        f" / sum by ({by}) ({rate(metric + '_count', labels)})"
    )


def stage(name):
    return mean("genzo_job_duration_seconds", "model", f'{MODEL}, stage="{name}"')


# Rows of panels. A panel: title, unit, what it tells, queries as (PromQL,
# legend), and options: width, kind, stacked.
ROWS = [
    (
        "Objective: 99.5 % of jobs come to a good end",
        [
            ("Good ends, last hour", "percentunit", "Share of ended jobs that neither failed nor were too late.",
             [('1 - sum(increase(genzo_jobs_total{%s, outcome=~"failed|expired"}[1h]))'
               " / sum(increase(genzo_jobs_total{%s}[1h]))" % (BY, BY), "")],
             {"width": 4, "kind": "stat"}),
            ("Budget burnt, last hour", "none", "1 uses up exactly what a month allows; 14.4 pages somebody.",
             [('sum(increase(genzo_jobs_total{%s, outcome=~"failed|expired"}[1h]))'
               " / sum(increase(genzo_jobs_total{%s}[1h])) / 0.005" % (BY, BY), "")],
             {"width": 4, "kind": "stat"}),
            ("Servers ready", "none", "Servers that say that they serve.",
             [("sum(genzo_ready{%s})" % BY, "")], {"width": 4, "kind": "stat"}),
            ("Time of a job", "s", "From acceptance to the end, of jobs that came to a good one.",
             [(quantile(q, "genzo_job_duration_seconds", labels=MODEL + ', stage="total"'), name)
              for q, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))], {"width": 12}),
        ],
    ),
    (
        "Traffic",
        [
            ("Jobs by outcome", "ops", "Ended jobs.",
             [("sum by (outcome) (%s)" % rate("genzo_jobs_total"), "{{outcome}}")], {"stacked": True}),
            ("Images", "ops", "Finished images.",
             [("sum by (model) (%s)" % rate("genzo_images_total"), "{{model}}")], {}),
            ("Cost units", "ops", "Rows times megapixels times steps of accepted jobs, by the weight of their tenants.",
             [("sum by (tenant_class) (%s)" % rate("genzo_cost_units_total", BY), "{{tenant_class}}")],
             {"stacked": True}),
            ("Calls by answer", "ops", "RPCs by gRPC code.",
             [("sum by (method, code) (%s)" % rate("genzo_requests_total", BY), "{{method}} {{code}}")], {}),
        ],
    ),
    (
        "Where the time goes",
        [
            ("Mean time by stage", "s", "Stages of finished jobs; decoding overlaps denoising.",
             [(stage(name), name + " {{model}}") for name in ("queue", "encode", "denoise", "decode")],
             {"stacked": True}),
            ("First preview", "s", "From acceptance to the first preview.",
             [(quantile(q, "genzo_time_to_first_preview_seconds"), name)
              for q, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))], {}),
            ("Making files", "s", "Of decoding: from pixels to PNG, JPEG or WebP, with the wait for who makes them.",
             [(stage("encode_image"), "{{model}}")], {}),
            ("Predictions", "percentunit", "How far predicted finish times were off.",
             [(quantile(0.5, "genzo_prediction_error_ratio"), "median"),
              (quantile(0.9, "genzo_prediction_error_ratio"), "90 %")], {}),
            ("Found in a cache", "percentunit",
             "Share of texts whose embedding was there, and of reproducible requests whose pictures were.",
             [('sum by (model) (%s) / sum by (model) (%s)'
               % (rate("genzo_text_cache_total", MODEL + ', result="hit"'), rate("genzo_text_cache_total")),
               "texts {{model}}"),
              ('sum(%s) / sum(%s)'
               % (rate("genzo_result_cache_total", BY + ', result="hit"'), rate("genzo_result_cache_total", BY)),
               "pictures")], {}),
        ],
    ),
    (
        "Queue",
        [
            ("Waiting and running", "none", "Jobs.",
             [("sum by (priority) (genzo_queue_depth{%s})" % MODEL, "waits, {{priority}}"),
              ("sum(genzo_jobs_running{%s})" % MODEL, "runs")], {}),
            ("Oldest waiting job", "s", "Its age.",
             [("max by (instance) (genzo_queue_oldest_age_seconds{%s})" % BY, "{{instance}}")], {}),
            ("Waiting cost units", "none", "What to scale by.",
             [("sum by (model) (genzo_queue_cost_units{%s})" % MODEL, "{{model}}")], {}),
            ("Refused and spared", "ops", "Jobs refused, by reason; steps spared because nobody wanted them any more.",
             [("sum by (reason) (%s)" % rate("genzo_shed_total", BY), "{{reason}}"),
              ("sum(%s)" % rate("genzo_steps_saved_total"), "steps spared")], {}),
        ],
    ),
    (
        "Engine",
        [
            ("Steps", "ops", "Steps of images, and evaluations that made them.",
             [("sum by (model) (%s)" % rate("genzo_denoise_steps_total"), "steps {{model}}"),
              ("sum by (model) (%s)" % rate("genzo_denoise_batches_total"), "evaluations {{model}}")], {}),
            ("Occupancy", "percentunit", "Rows of evaluations, of those that they had room for.",
             [("sum by (model) (%s) / sum by (model) (%s)"
               % (rate("genzo_batch_size_sum"), rate("genzo_row_places_total")), "{{model}}")], {}),
            ("Rows of an evaluation", "none", "Mean and most.",
             [(mean("genzo_batch_size", "model"), "mean {{model}}"),
              ("max by (model) (genzo_row_cap{%s})" % MODEL, "most {{model}}")], {}),
            ("Time of an evaluation", "s", "95th percentile, by size and rows.",
             [(quantile(0.95, "genzo_step_duration_seconds", ", model, size, rows"),
               "{{model}} {{size}} px, {{rows}} rows")], {}),
            ("Compute a step", "s", "Core-seconds or GPU-seconds that a step of an image takes.",
             [('sum by (model, unit) (%s) / on (model) group_left () sum by (model) (%s)'
               % (rate("genzo_compute_seconds_total"), rate("genzo_denoise_steps_total")),
               "{{model}}, {{unit}}")], {}),
            ("Overhead a step", "s", "Between two evaluations while images are painted.",
             [(mean("genzo_step_overhead_seconds", "model"), "mean {{model}}"),
              (quantile(0.99, "genzo_step_overhead_seconds"), "99 %")], {}),
            ("Devices busy", "percentunit", "Share of the time that is spent in evaluations.",
             [(rate("genzo_device_busy_seconds_total", BY), "{{instance}} {{device}}")], {}),
            ("Images at work", "none", "Images being painted, and devices that are in use.",
             [("sum by (device) (genzo_device_live_images{%s})" % BY, "{{device}}"),
              ("sum(genzo_device_up{%s})" % BY, "devices up")], {}),
            ("Enlarging", "ops", "Parts of pictures, enlarged.",
             [("sum by (device) (%s)" % rate("genzo_device_upscale_tiles_total", BY), "{{device}}")], {}),
        ],
    ),
    (
        "Streams and the HTTP door",
        [
            ("Streams", "none", "Streams of events, and requests of the HTTP door under way.",
             [("sum(genzo_streams{%s})" % BY, "gRPC"),
              ("sum(genzo_http_requests_in_flight{%s})" % BY, "HTTP")], {}),
            ("Previews", "ops", "Shown, and overtaken by newer ones.",
             [("sum(%s)" % rate("genzo_previews_total"), "shown"),
              ("sum(%s)" % rate("genzo_preview_dropped_total", BY), "overtaken"),
              ("sum(%s)" % rate("genzo_slow_readers_total", BY), "readers given up")], {}),
            ("Pictures held", "bytes", "For readers that have not taken them, and by the result cache.",
             [("sum by (instance) (genzo_undelivered_bytes{%s})" % BY, "{{instance}}"),
              ("sum by (instance) (genzo_result_cache_bytes{%s})" % BY, "cache {{instance}}")], {}),
            ("HTTP by route", "ops", "Requests of the HTTP door.",
             [("sum by (route, code) (%s)" % rate("genzo_http_requests_total", BY), "{{route}} {{code}}")], {}),
            ("HTTP time", "s", "95th percentile to the answer's end.",
             [(quantile(0.95, "genzo_http_request_duration_seconds", ", route", BY), "{{route}}")], {}),
            ("Told others", "ops", "Webhooks and spans by what became of them.",
             [("sum by (result) (%s)" % rate("genzo_webhooks_total", BY), "webhooks {{result}}"),
              ("sum by (result) (%s)" % rate("genzo_spans_total", BY), "spans {{result}}")], {}),
        ],
    ),
    (
        "Memory and process",
        [
            ("Models", "bytes", "Weights in memory, and what a full evaluation takes besides.",
             [("sum by (model, kind) (genzo_model_bytes{%s})" % MODEL, "{{model}} {{kind}}")], {"stacked": True}),
            ("Device memory", "bytes", "Budget of models, adapters; of GPUs also what is allocated, reserved, free.",
             [("sum by (device, kind) (genzo_device_memory_bytes{%s})" % BY, "{{device}} {{kind}}")], {}),
            ("Process", "bytes", "Resident memory.",
             [("process_resident_memory_bytes{%s}" % BY, "{{instance}}")], {}),
            ("Cores and descriptors", "none", "Cores in use, open descriptors, threads.",
             [(rate("process_cpu_seconds_total", BY), "cores {{instance}}"),
              ("process_open_fds{%s}" % BY, "descriptors {{instance}}"),
              ("process_threads{%s}" % BY, "threads {{instance}}")], {}),
        ],
    ),
    (
        "What is there",
        [
            ("Models", "none", "1 while in memory; 1 while it could not be loaded.",
             [("genzo_model_loaded{%s} * on (namespace, job, instance, model) group_left (family, dtype)"
               " genzo_model_info{%s}" % (MODEL, MODEL), "{{model}} {{family}} {{dtype}}"),
              ("genzo_model_failed{%s}" % MODEL, "{{model}} failed")], {}),
            ("Adapters", "none", "LoRAs in memory.",
             [("sum by (instance, device) (genzo_device_adapters{%s})" % BY,
               "{{instance}} {{device}}")], {}),
            ("Builds", "none", "Versions that run.",
             [("count by (version, libtorch, cuda, grpc) (genzo_build_info{%s})" % BY,
               "{{version}}, LibTorch {{libtorch}}, CUDA {{cuda}}, gRPC {{grpc}}")], {}),
            ("Files of models", "none", "More than one of a model: servers have other files of it, or copies of other times.",
             [("count by (model) (count by (model, fingerprint) (genzo_model_info{%s}))" % MODEL,
               "{{model}}")], {}),
        ],
    ),
]


def panel(number, at, row_length, spec):
    title, unit, tells, queries, options = spec
    width = options.get("width", max(6, WIDTH // row_length))
    kind = options.get("kind", "timeseries")
    made = {
        "id": number,
        "type": kind,
        "title": title,
        "description": tells,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": at[0], "y": at[1], "w": width, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend}
            for i, (expr, legend) in enumerate(queries)
        ],
    }
    if kind == "timeseries":
        stacking = "normal" if options.get("stacked") else "none"
        made["fieldConfig"]["defaults"]["custom"] = {
            "fillOpacity": 30 if options.get("stacked") else 5,
            "stacking": {"mode": stacking, "group": "A"},
        }
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"},
                           "tooltip": {"mode": "multi", "sort": "desc"}}
    else:
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}}
    return made


def variable(name, query):
    return {
        "name": name,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard():
    panels, number, y = [], 1, 0
    for title, specs in ROWS:
        panels.append({"id": number, "type": "row", "title": title, "collapsed": False,
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []})
        number, y, x = number + 1, y + 1, 0
        per_line = 4 if len(specs) in (4, 8) else 3
        for spec in specs:
            made = panel(number, (x, y), per_line, spec)
            if x + made["gridPos"]["w"] > WIDTH:
                x, y = 0, y + HEIGHT
                made["gridPos"].update(x=x, y=y)
            panels.append(made)
            x, number = x + made["gridPos"]["w"], number + 1
        y += HEIGHT
    return {
        "uid": "genzo",
        "title": "Genzo",
        "tags": ["genzo"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
            variable("namespace", "label_values(genzo_build_info, namespace)"),
            variable("job", 'label_values(genzo_build_info{namespace=~"$namespace"}, job)'),
            variable("instance",
                     'label_values(genzo_build_info{namespace=~"$namespace", job=~"$job"}, instance)'),
            variable("model", 'label_values(genzo_model_loaded{%s}, model)' % BY),
        ]},
        "annotations": {"list": []},
        "panels": panels,
    }


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("genzo.json")
    path.write_text(json.dumps(dashboard(), indent=1) + "\n")
