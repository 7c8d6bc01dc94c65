"""Exact Markov chains of small lines, written from their definitions: what closed forms and simulators must give."""

from itertools import product

import numpy as np


def stationary(step):
    """The stationary distribution of a stochastic matrix."""
    n = len(step)
    matrix = np.vstack([step.T - np.eye(n), np.ones(n)])
    return np.linalg.lstsq(matrix, np.append(np.zeros(n), 1.0), rcond=None)[0]


def bernoulli(p, places):
    """(parts per slot, mean levels): up machines work when they have a part and room, or get room in the slot."""
    states = list(product(*[range(n + 1) for n in places]))
    at = {state: number for number, state in enumerate(states)}
    step, out = np.zeros((len(states),) * 2), np.zeros(len(states))
    for state in states:
        for up in product((0, 1), repeat=len(p)):
            chance = np.prod([q if u else 1 - q for q, u in zip(p, up, strict=True)])
            works = [0] * len(p)
            for i in reversed(range(len(p))):
                has = i == 0 or state[i - 1] > 0
                room = i == len(p) - 1 or state[i] < places[i] or works[i + 1]
                works[i] = int(up[i] and has and room)
            after = tuple(level + works[i] - works[i + 1] for i, level in enumerate(state))
            step[at[state], at[after]] += chance
            out[at[state]] += chance * works[-1]
    share = stationary(step)
    return float(share @ out), [float(share @ [state[i] for state in states]) for i in range(len(places))]


def geometric(r1, p1, r2, p2, places):
    """(parts per slot, mean level): machines change first, then the buffer; a machine that cannot work cannot fail."""
    states = list(product(range(places + 1), (0, 1), (0, 1)))
    at = {state: number for number, state in enumerate(states)}
    step, out = np.zeros((len(states),) * 2), np.zeros(len(states))
    for level, up1, up2 in states:
        for now1, now2 in product((0, 1), repeat=2):
            stays1 = (1 - p1 * (level < places)) if up1 else r1
            stays2 = (1 - p2 * (level > 0)) if up2 else r2
            chance = (stays1 if now1 else 1 - stays1) * (stays2 if now2 else 1 - stays2)
            comes, goes = now1 and level < places, now2 and level > 0
            step[at[level, up1, up2], at[level + comes - goes, now1, now2]] += chance
            out[at[level, up1, up2]] += chance * goes
    share = stationary(step)
    return float(share @ out), float(share @ [level for level, _, _ in states])


def exponential(mu, places):
    """Rate of an exponential line, blocking after service, first machine never starved and last never blocked."""
    machines = len(mu)
    start = ((1,) + (0,) * (machines - 1), (0,) * (machines - 1), (0,) * machines)
    number, todo, moves = {start: 0}, [start], []
    while todo:
        state = todo.pop()
        for i in range(machines):
            if state[0][i] and not state[2][i]:
                after, out = _finish(state, i, places)
                if after not in number:
                    number[after] = len(number)
                    todo.append(after)
                moves.append((number[state], number[after], mu[i], out))
    rates, out = np.zeros((len(number),) * 2), np.zeros(len(number))
    for before, after, rate, leaves in moves:
        rates[before, after] += rate
        out[before] += rate * leaves
    balance = (rates - np.diag(rates.sum(1))).T
    balance[-1] = 1
    return float(np.linalg.solve(balance, np.append(np.zeros(len(number) - 1), 1.0)) @ out)


def _finish(state, i, places):
    """Machine i finishes its part; (busy, levels, blocked) afterwards and whether a part left the line."""
    busy, level, blocked = (list(part) for part in state)
    blocked[i] = 1
    out, moved = 0, True
    while moved:
        moved = False
        for k in reversed(range(len(busy))):
            last = k == len(busy) - 1
            if blocked[k] and (last or level[k] < places[k] or (places[k] == 0 and not busy[k + 1])):
                blocked[k] = busy[k] = 0
                moved = True
                if last:
                    out = 1
                elif places[k] == 0:
                    busy[k + 1] = 1
                else:
                    level[k] += 1
            if not busy[k] and (k == 0 or level[k - 1] > 0):
                busy[k] = 1
                moved = True
                if k > 0:
                    level[k - 1] -= 1
    return (tuple(busy), tuple(level), tuple(blocked)), out
