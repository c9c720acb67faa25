"""Draws panels of the dashboard from what a Prometheus has, as one PNG.

Grafana itself is not needed: titles, units and queries are the dashboard's.
"""

import json
import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

PANELS = [
    "Jobs by outcome", "First preview", "Mean time by stage",
    "Waiting and running", "Occupancy", "Time of an evaluation",
    "Steps", "Overhead a step", "HTTP by route",
]
BACK, FRONT, GRID = "#181b1f", "#ccccdc", "#2c3235"
COLOURS = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#37872d"]


def unit_text(unit):
    def text(value, _):
        if unit == "s":
            return f"{value * 1e3:g} ms" if 0 < abs(value) < 1 else f"{value:g} s"
        if unit == "percentunit":
            return f"{value:.0%}"
        return f"{value:g}" + ("/s" if unit == "ops" else "")

    return FuncFormatter(text)


def legend_of(pattern, labels):
    for name, value in labels.items():
        pattern = pattern.replace("{{%s}}" % name, value)
    return pattern


def draw_panel(axes, panel, rig, window):
    end = rig.load_ended
    series = []
    for target in panel["targets"]:
        query = target["expr"].replace("$__rate_interval", "10s")
        for variable in ("namespace", "job", "instance", "model"):
            query = query.replace(f"${variable}", ".*")
        for found in rig.query(query, "query_range", start=end - window, end=end, step=1):
            points = {float(at) - end: float(value) for at, value in found["values"]}
            points = {at: value for at, value in points.items() if math.isfinite(value)}
            if any(points.values()):
                series.append((legend_of(target["legendFormat"], found["metric"]), points))
    defaults = panel["fieldConfig"]["defaults"]
    if defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal":
        times = sorted({at for _, points in series for at in points})
        rows = [[points.get(at, 0) for at in times] for _, points in series]
        axes.stackplot(times, rows, labels=[n for n, _ in series], colors=COLOURS, alpha=0.75)
    else:
        for number, (name, points) in enumerate(series):
            axes.plot(points.keys(), points.values(), label=name, lw=1.2,
                      color=COLOURS[number % len(COLOURS)])
    axes.set_title(panel["title"], loc="left", fontsize=9, color=FRONT, fontweight="bold")
    axes.set_ylim(bottom=0)
    axes.set_xlim(-window, 0)
    axes.yaxis.set_major_formatter(unit_text(defaults["unit"]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g} s"))
    axes.set_facecolor(BACK)
    axes.grid(color=GRID, lw=0.6)
    axes.tick_params(colors=FRONT, labelsize=7, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if not series:
        return
    legend = axes.legend(fontsize=6, frameon=False, loc="upper center",
                         bbox_to_anchor=(0.5, -0.1), ncol=3)
    for text in legend.get_texts():
        text.set_color(FRONT)


def draw(rig, dashboard, path, window):
    panels = {p["title"]: p for p in json.loads(dashboard.read_text())["panels"]}
    figure, grid = plt.subplots(3, 3, figsize=(13, 8.2), facecolor=BACK)
    for axes, title in zip(grid.flat, PANELS):
        draw_panel(axes, panels[title], rig, window)
    figure.tight_layout(h_pad=1.6)
    figure.savefig(path, dpi=100, facecolor=BACK)
