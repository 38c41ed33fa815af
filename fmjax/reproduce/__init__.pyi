from .running import figures as figures, make_figure as make_figure, run as run
