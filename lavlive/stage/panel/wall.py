"""The section of a wall of machines: the nodes of a conductor, and how they fare."""

from __future__ import annotations

from lavlive.stage.panel.section import Column, Section
from lavlive.stage.panel.widgets import DIM, GOOD, WARN, button, say
from lavlive.wall.conductor import Node


class WallSection(Section):
    """Every node with its figures, and a button by which it shows its name."""

    title = "Wall"
    column = Column.WATCH

    def draw(self) -> None:
        wall, now = self.desk.show.wall, self.desk.now
        if wall is None:
            say("This show has no nodes: lavlive conduct begins one that has.", DIM)
            return
        if not wall.conducts:
            say(f"A node: it shows what a conductor says, {1000 * wall.node_delay:.0f} ms after the sound.")
            return
        say(f"Nodes show the sound {1000 * wall.node_delay:.0f} ms after it was heard.", DIM)
        nodes = wall.nodes
        if not nodes:
            say("No node yet: lavlive node --connect ADDRESS on another machine.")
        elif button("All show their names"):
            wall.identify("*", now)
        for node in nodes:
            self._draw_node(node, wall.there(node, now))

    def _draw_node(self, node: Node, there: bool) -> None:
        wall, report = self.desk.show.wall, node.report
        if button(f"{report.node}##node {report.node}") and wall is not None:
            wall.identify(report.node, self.desk.now)
        if not there:
            say("is gone", WARN)
            return
        say(
            f"{report.pictures:.0f} pictures/s, {1000 * report.latency:.0f} ms after the sound, "
            f"{report.lost} messages lost, {report.late} late",
            GOOD if report.pictures > 0 else WARN,
        )
        say(
            f"clock {1000 * report.offset:+.1f} ms ± {1000 * report.uncertainty:.1f}, {report.model}, "
            f"shows {report.place}, lavlive {report.software}",
            DIM,
        )
        if report.note:
            say(report.note, WARN)
