"""What is found in a picture."""


def texts_of(artists):
    return [artist.get_text() for artist in artists]


def legend_of(display):
    figure = display.figure_
    legends = figure.legends + [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    return [text for legend in legends for text in texts_of(legend.get_texts())]


def extents(artists, figure):
    """Where artists are in the picture."""
    figure.draw_without_rendering()
    return [artist.get_window_extent() for artist in artists]


def n_overlaps(found):
    """How many pairs of extents overlap."""
    return sum(
        a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
        for k, a in enumerate(found)
        for b in found[:k]
    )
