-- notice_a_dead_host: the server ends this session, and with it the lock, when the host has been silent for ten seconds
SELECT set_config('tcp_keepalives_idle', '4', false), set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false);

-- try_lock: take a lease for as long as the session lives, unless another has it
SELECT pg_try_advisory_lock(%(lock)s, hashtext(%(name)s));

-- alive: the session, and with it the lock, is there
SELECT 1;
