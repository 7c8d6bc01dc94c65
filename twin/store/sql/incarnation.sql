-- current: which life of the store this is; on another cluster or timeline than at the last look another one begins
WITH here AS (
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS server
      FROM pg_control_system()
), begun AS (
    UPDATE incarnation SET number = greatest(number + 1, (date_part('epoch', clock_timestamp()) * 1e6)::int8),
                           server = here.server
      FROM here WHERE incarnation.server <> here.server
    RETURNING number
)
SELECT coalesce((SELECT number FROM begun), (SELECT number FROM incarnation));

-- set_back: the database was brought back to an earlier state: the next commit begins another life
UPDATE incarnation SET server = '';
