"""The fire-risk question with a map, as a marimo notebook: `marimo edit fire_risk.py`, or `python fire_risk.py` as a script.

MERIDIAN_PROFILE names the profile; as a script it writes map.svg into the folder that MERIDIAN_MAP names, or this one.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import html
    import os
    import pathlib

    import marimo
    from meridian_profile import connect

    return connect, html, marimo, os, pathlib


@app.cell
def _(connect):
    question = """
    SELECT b.gss, b.name, f.fires, h.households, round(1000.0 * f.fires / h.households, 2) AS fires_per_1000
    FROM gla.boroughs AS b
    JOIN (SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents GROUP BY borough_gss) AS f ON f.borough_gss = b.gss
    JOIN (SELECT borough_gss, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss) AS h
      ON h.borough_gss = b.gss
    ORDER BY fires_per_1000 DESC
    """
    # Where a borough lies: the middle of its fire stations, which are open data.
    places = "SELECT borough_gss, AVG(easting) AS x, AVG(northing) AS y FROM lfb.stations GROUP BY borough_gss"
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(question)
        risk = cursor.fetch_arrow_table().to_pylist()
        cursor.execute(places)
        where = {row["borough_gss"]: (row["x"], row["y"]) for row in cursor.fetch_arrow_table().to_pylist()}
    return risk, where


@app.cell
def _(html, risk, where):
    def drawn(rows, width=720, height=520, margin=50):
        """Each borough as a circle where it lies, the larger and darker the more fires; one without a figure is hollow."""
        known = [row for row in rows if row["gss"] in where]
        xs, ys = zip(*(where[row["gss"]] for row in known))
        span = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
        most = max((row["fires_per_1000"] or 0 for row in known), default=0) or 1.0
        circles = []
        for row in known:
            x, y = where[row["gss"]]
            left = margin + (x - min(xs)) / span * (width - 2 * margin)
            top = height - margin - (y - min(ys)) / span * (height - 2 * margin)
            rate = row["fires_per_1000"]
            name = html.escape(row["name"])
            told = "withheld or not there" if rate is None else f"{rate} fires per 1,000 households"
            share = 0.0 if rate is None else rate / most
            fill = "none" if rate is None else f"rgb({int(250 - 60 * share)},{int(200 - 160 * share)},{int(150 - 130 * share)})"
            circles.append(
                f'<circle cx="{left:.0f}" cy="{top:.0f}" r="{8 + 22 * share:.0f}" fill="{fill}" stroke="#333">'
                f"<title>{name}: {told}</title></circle>"
                f'<text x="{left:.0f}" y="{top + 4:.0f}" font-size="10" text-anchor="middle">{name}</text>'
            )
        title = "Dwelling fires per 1,000 households"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
        return "\n".join([head, *circles, "</svg>"])

    picture = drawn(risk)
    return (picture,)


@app.cell
def _(marimo, picture, risk):
    marimo.vstack([marimo.Html(picture), marimo.ui.table(risk)])
    return


@app.cell
def _(os, pathlib, picture, risk):
    file = pathlib.Path(os.environ.get("MERIDIAN_MAP", ".")) / "map.svg"
    file.write_text(picture)
    print(f"{len(risk)} boroughs, {file}")
    return


if __name__ == "__main__":
    app.run()
