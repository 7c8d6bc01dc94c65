"""What chooses a baseline, as plain lists: the combinations in the order they were met, and what each has learnt."""

OTHERS = 11  # all that came after the first eleven


class PlainMachine:
    """One asset with one measurement that learns one number."""

    def __init__(self, executing, low, high):
        self.executing, self.low, self.high = executing, low, high
        self.state, self.band, self.product = None, 0, 0
        self.met, self.learnt, self.regime = [], {}, OTHERS

    def choose(self, number):
        """Put `number` away and take out what belongs to the present combination."""
        works = self.state in self.executing
        combination = (self.state, self.band if works else 0, self.product if works else 0)
        if combination not in self.met and len(self.met) < OTHERS and self.state is not None:
            self.met.append(combination)
        regime = self.met.index(combination) if combination in self.met else OTHERS
        self.learnt[self.regime] = number
        self.regime = regime
        return self.learnt.get(regime, 0.0)

    def enter_speed(self, value, number):
        """A band is left when the speed is 5 % of the range beyond its edge."""
        share = (value - self.low) / (self.high - self.low)
        third, edge = 1 / 3, 0.05
        if share < self.band * third - edge or share > (self.band + 1) * third + edge:
            self.band = min(max(int(share * 3), 0), 2)
            return self.choose(number)
        return number
