"""The paper's experiments, a folder each.

From the folder that holds `demos`, run one by, say, ``python -m demos.paper.pose --help``.
"""
