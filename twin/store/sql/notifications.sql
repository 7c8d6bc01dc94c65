-- waiting: announced, unacknowledged, active alarms raised since, each with the transition and what was told of it
SELECT a.rule, a.state, t.id, t.at,
       coalesce((SELECT array_agg(n.target || '|' || n.reason) FROM notification n WHERE n.transition = t.id), '{}')
  FROM alarm a
  JOIN LATERAL (SELECT id, at FROM alarm_transition
                 WHERE alarm = a.id AND what IN ('raised', 're-alarmed') ORDER BY step DESC LIMIT 1) t ON true
 WHERE a.announced AND a.phase = 'unacknowledged' AND t.at >= %(since)s
 ORDER BY t.id;

-- note: what became of a message
INSERT INTO notification (transition, target, reason, sent_at, outcome)
VALUES (%(transition)s, %(target)s, %(reason)s, %(at)s, %(outcome)s)
    ON CONFLICT (transition, target, reason) DO NOTHING;

-- sent: messages that a target has got since
SELECT count(*) FROM notification WHERE target = %(target)s AND outcome = 'sent' AND sent_at > %(since)s;

-- all: every message, the newest first
SELECT transition, target, reason, sent_at, outcome FROM notification ORDER BY id DESC LIMIT %(limit)s;
