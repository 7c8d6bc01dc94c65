-- between: the gap ledger of a signal for [start, end)
SELECT signal, lower(span), upper(span), cause, detail, state
  FROM gap WHERE signal = %(signal)s AND span && tstzrange(%(start)s, %(end)s) ORDER BY span, id;
