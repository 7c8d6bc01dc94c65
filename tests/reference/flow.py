"""A flow simulated the plain way: things with a name, a scan over everything until nothing moves, no clever order.

Takes the draws from `twin.kernels.chance` (they are its input, not its work); everything else is written anew from the
description: blocking after service, operation-dependent failures with repairs inside the operation.
"""

import heapq
from collections import deque

import numpy as np

from twin.kernels.chance import CYCLE, FAILURE, ROUTE, key, ticks, word
from twin.whatif.model import GOOD, SCRAP
from twin.whatif.quantiles import kernel_form


def draw(duration, tick_s, replication, seed, item, stream, number):
    kind, scale, table = kernel_form(duration, tick_s)
    low, high = key(seed, replication, item, stream)
    return int(ticks(kind, np.float32(scale), table[None, :], 0, word(np.uint32(number), low, high)))


class Server:
    def __init__(self, world, number, resource):
        self.world, self.number, self.failure = world, number, resource.failure
        self.operation, self.thing, self.until, self.done, self.failures = None, None, None, False, 0
        self.up, self.down = self.next_failure() if self.failure else (None, None)

    def next_failure(self):
        w, n = self.world, self.failures
        self.failures += 1
        up = draw(self.failure.up, w.tick_s, w.replication, w.seed, self.number, FAILURE, 2 * n)
        return max(up, 1), draw(self.failure.down, w.tick_s, w.replication, w.seed, self.number, FAILURE, 2 * n + 1)

    def work(self, need):
        total = need
        while self.failure and need > self.up:
            need -= self.up
            total += self.down
            self.up, self.down = self.next_failure()
        if self.failure:
            self.up -= need
        return total


class World:
    """One replication of a flow up to a horizon in ticks; `stays` are (entered, left) of things that left well."""

    def __init__(self, flow, tick_s, seed, replication):
        self.flow, self.tick_s, self.seed, self.replication = flow, tick_s, seed, replication
        self.now, self.inside, self.area, self.stays, self.events = 0, 0, 0, [], []
        self.stocks = {one.name: deque([0] * one.level) for one in flow.stocks}
        self.places = {one.name: one.capacity for one in flow.stocks}
        self.started = {one.name: 0 for one in flow.operations}
        self.ended = dict(self.started)
        self.finished = dict(self.started)
        self.waiting = {name: deque() for name in self.stocks}  # servers blocked in front of a stock
        self.servers, number = {}, 0
        for resource in flow.resources:
            self.servers[resource.name] = [Server(self, number + at, resource) for at in range(resource.servers)]
            number += resource.servers
        self.number_of = {one.name: at for at, one in enumerate(flow.operations)}

    def run(self, horizon):
        self.settle()
        while self.events and self.events[0][0] <= horizon:
            at, _, _, server = heapq.heappop(self.events)
            self.area += self.inside * (at - self.now)
            self.now = at
            self.end(server)
            self.settle()
        self.area += self.inside * (horizon - self.now)

    def end(self, server):
        operation = server.operation
        n, to = self.ended[operation.name], operation.routes[0].to
        self.ended[operation.name] += 1
        if len(operation.routes) > 1:
            low, high = key(self.seed, self.replication, self.number_of[operation.name], ROUTE)
            luck, below = int(word(np.uint32(n), low, high)) / (2**32 - 1), 0.0
            for route in operation.routes:
                below += route.share
                to = route.to
                if luck <= below:
                    break
        leaves = any(route.to == GOOD for route in operation.routes)
        self.finished[operation.name] += to == GOOD if leaves else to != SCRAP
        if to in {GOOD, SCRAP}:
            self.inside -= 1
            if to == GOOD:
                self.stays.append((server.thing, self.now))
            server.operation = None
        else:
            server.done = True
            self.waiting[to].append(server)

    def settle(self):
        while any([self.put(name) for name in self.stocks] + [self.start(one) for one in self.flow.operations]):
            pass

    def put(self, name):
        moved = False
        while self.waiting[name] and len(self.stocks[name]) < self.places[name]:
            server = self.waiting[name].popleft()
            self.stocks[name].append(server.thing)
            server.operation, server.done, moved = None, False, True
        return moved

    def start(self, operation):
        server = next((one for one in self.servers[operation.resource] if one.operation is None), None)
        if server is None or not all(self.stocks[name] or self.waiting[name] for name in operation.inputs):
            return False
        taken = [self.take(name) for name in operation.inputs]
        self.inside += 1 - len(taken)
        server.thing, server.operation = min(taken, default=self.now), operation
        item = self.number_of[operation.name]
        number = self.started[operation.name]
        self.started[operation.name] += 1
        need = draw(operation.cycle, self.tick_s, self.replication, self.seed, item, CYCLE, number)
        heapq.heappush(self.events, (self.now + server.work(need), server.number, number, server))
        return True

    def take(self, name):
        if self.stocks[name]:
            return self.stocks[name].popleft()
        server = self.waiting[name].popleft()
        server.operation, server.done = None, False
        return server.thing
