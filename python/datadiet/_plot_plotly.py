"""Figures by plotly."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from plotly import graph_objects as go

from datadiet._datadiet import COLOURS
from datadiet._plot_data import SUSPECT, Axis, Bars, Cloud, Lines, density

_SYMBOLS = ("circle", "square", "triangle-up")
_CELLS = (160, 120)


def cloud(data: Cloud, ax: None) -> Any:
    figure = _figure(data.title, data.x, data.y)
    if data.dense:
        _dense(figure, data)
        keys = data.keys
    else:
        _points(figure, data)
        keys = [data.keys[place] for place in data.suspects.tolist()]
    if len(data.suspects):
        figure.add_trace(
            go.Scattergl(
                x=data.xs[data.suspects],
                y=data.ys[data.suspects],
                mode="markers",
                name=_text(data.suspects_name),
                text=[_text(key) for key in keys],
                hovertemplate="suspect %{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>",
                marker={
                    "symbol": "circle-open",
                    "size": 11,
                    "color": SUSPECT,
                    "line": {"width": 1.5},
                },
            )
        )
    return figure


def bars(data: Bars, ax: None) -> Any:
    figure = _figure(data.title, data.x, None)
    middles = (data.edges[:-1] + data.edges[1:]) / 2
    for name, colour, counts in data.groups:
        figure.add_trace(
            go.Bar(
                x=middles,
                y=counts,
                width=np.diff(data.edges),
                name=_text(name),
                marker={"color": colour, "line": {"width": 0}},
                showlegend=len(data.groups) > 1,
            )
        )
    if len(data.suspects):
        figure.add_trace(
            go.Scatter(
                x=data.suspects,
                y=np.zeros(len(data.suspects)),
                mode="markers",
                name=_text(data.suspects_name),
                marker={
                    "symbol": "line-ns-open",
                    "size": 12,
                    "color": SUSPECT,
                    "line": {"width": 1.5},
                },
            )
        )
    figure.update_layout(barmode="stack", bargap=0, yaxis_title="examples")
    return figure


def lines(data: Lines, ax: None) -> Any:
    figure = go.Figure(layout={"template": "plotly_white"})
    if data.everything is not None:
        mean, low, high = data.everything
        figure.add_hrect(y0=low, y1=high, fillcolor="#1c232b", opacity=0.12, line_width=0)
        figure.add_hline(
            y=mean,
            line={"color": "#1c232b", "width": 1},
            annotation_text="everything",
            annotation_position="top left",
        )
    for line in data.lines:
        figure.add_trace(
            go.Scatter(
                x=line.keep,
                y=line.mean,
                name=_text(line.name),
                mode="lines+markers" if line.linked else "markers",
                marker={"size": 6 if line.linked else 11},
                line={"color": line.colour, "dash": "dash" if line.dashed else "solid"},
                error_y={
                    "array": np.maximum(line.high - line.mean, 0),
                    "arrayminus": np.maximum(line.mean - line.low, 0),
                },
            )
        )
    below = "".join(f"<br><sub>{_text(note)}</sub>" for note in data.notes)
    figure.update_layout(
        title=_text(data.title),
        xaxis_title=_text(data.x_label) + below,
        yaxis_title=_text(data.y_label),
    )
    figure.update_xaxes(tickformat=".0%")
    if data.percent:
        figure.update_yaxes(tickformat=".1%")
    return figure


def _points(figure: Any, data: Cloud) -> None:
    def add(rows: Any, name: str, marker: dict[str, Any]) -> None:
        figure.add_trace(
            go.Scattergl(
                x=data.xs[rows],
                y=data.ys[rows],
                mode="markers",
                name=_text(name),
                text=[_text(data.keys[row]) for row in rows.tolist()],
                hovertemplate="%{text}<br>%{x:.4g}, %{y:.4g}<extra>"
                + _text(name).replace("%", "&#37;")
                + "</extra>",
                marker={"size": 6, "opacity": 0.75, **marker},
            )
        )

    every = np.arange(len(data.xs))
    if data.values is not None:
        bar = {"title": {"text": _text(data.value_name)}}
        add(
            every,
            "examples",
            {"color": data.values, "colorscale": "Viridis", "colorbar": bar, "showscale": True},
        )
        figure.update_layout(showlegend=False)
    elif not data.groups:
        add(every, "examples", {"color": COLOURS[0]})
    for group in data.groups:
        add(group.rows, group.name, {"color": group.colour, "symbol": _SYMBOLS[group.shape]})


def _dense(figure: Any, data: Cloud) -> None:
    cells, across, up = density(data, *_CELLS)
    if data.values is None:
        shown = np.log10(cells)
        top = int(np.floor(np.nanmax(shown)))
        ticks = {
            "tickvals": list(range(top + 1)),
            "ticktext": [f"{10**power:,}" for power in range(top + 1)],
        }
        bar = {"title": {"text": "examples in a cell"}, **ticks}
        scale: Any = [[0, "#dbe7f0"], [0.5, COLOURS[0]], [1, "#0b2239"]]
        hint = "%{customdata:,} examples<br>%{x:.4g}, %{y:.4g}<extra></extra>"
    else:
        shown, bar = cells, {"title": {"text": f"mean of {_text(data.value_name)}"}}
        scale, hint = "Viridis", "%{z:.4g}<br>%{x:.4g}, %{y:.4g}<extra></extra>"
    figure.add_trace(
        go.Heatmap(
            x=(across[:-1] + across[1:]) / 2,
            y=(up[:-1] + up[1:]) / 2,
            z=shown,
            customdata=cells,
            colorscale=scale,
            colorbar=bar,
            hovertemplate=hint,
            hoverongaps=False,
        )
    )
    # The legend of suspects does not lie on the bar of colours.
    figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "x": 1, "xanchor": "right", "yanchor": "bottom"}
    )


def _figure(title: str, x: Axis, y: Axis | None) -> Any:
    figure = go.Figure(layout={"template": "plotly_white"})
    figure.update_layout(title=_text(title), xaxis_title=_label(x))
    if y is not None:
        figure.update_layout(yaxis_title=_label(y))
    return figure


def _label(axis: Axis) -> str:
    meaning = "".join(f"<br><sub>{_text(line)}</sub>" for line in axis.meaning.splitlines())
    return _text(axis.label) + meaning


def _text(value: str) -> str:
    """What plotly takes for tags, and for formulas, is plain text here."""
    short = value if len(value) <= 200 else value[:199] + "…"
    return escape(short).replace("$", "&#36;")
