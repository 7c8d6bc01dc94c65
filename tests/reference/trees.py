"""Boosted trees as anybody would walk them: node by node, row by row."""

import math


def scores(trees, baseline, rows):
    """trees: node tables with left, right, feature_idx, num_threshold, missing_go_to_left, is_leaf, value."""
    found = []
    for row in rows:
        total = baseline
        for nodes in trees:
            at = 0
            while not nodes[at]["is_leaf"]:
                value = row[nodes[at]["feature_idx"]]
                if math.isnan(value):
                    left = bool(nodes[at]["missing_go_to_left"])
                else:
                    left = value <= nodes[at]["num_threshold"]
                at = int(nodes[at]["left"] if left else nodes[at]["right"])
            total += nodes[at]["value"]
        found.append(total)
    return found
