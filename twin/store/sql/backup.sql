-- look: version of the server, bytes of the database, tables in it that belong to no extension
SELECT current_setting('server_version_num')::int, pg_database_size(current_database()),
       (SELECT count(*) FROM pg_class
         WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e'));

-- make_role: the api's own rights are granted by the dump; roles belong to the server and are not in it
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fabriquay_api') THEN
        CREATE ROLE fabriquay_api NOLOGIN;
    END IF;
    GRANT fabriquay_api TO CURRENT_USER;
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
    RAISE NOTICE 'role fabriquay_api: %', SQLERRM;
END $$;

-- timescale_extension: of the version that the server has
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- timescale_pre: TimescaleDB's jobs rest, its catalogue can be filled
SELECT timescaledb_pre_restore();

-- timescale_post: TimescaleDB works again
SELECT timescaledb_post_restore();

-- newest_batch: how far the store has come, and when
SELECT coalesce(max(seq), 0) FROM batch;
