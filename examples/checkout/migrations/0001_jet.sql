-- 0001_jet.sql, made by jetpackc 0.1.0 from workflows.jet.
--   installs or upgrades the support schema jet
-- Check it in; do not edit it. Apply it with jetpackc migrate, or with any other runner in one transaction,
-- after those of lower numbers.

-- The support schema that all jetpack modules share. Installed and upgraded only forward: an older file leaves a newer
-- schema alone, so modules built by different versions of the compiler live side by side.
--
--   jet.now()          the one clock; tests move it through jet.clock
--   jet.worker_start   a worker says it lives; jet.heartbeat keeps its leases, and sweeps what other workers left behind
--   jet.tick           the same sweep, for a scheduler such as pg_cron
--   jet.module, jet.machine   what is installed, for workers and tools
do $jet$
begin
  if to_regclass('jet.meta') is not null then
    return;
  end if;

  create schema if not exists jet;

  create table jet.meta (
    one boolean not null default true,
    version integer not null,
    constraint meta_pkey primary key (one),
    constraint meta_one check (one)
  );
  insert into jet.meta (version) values (1);

  -- Only its owner can write the clock: a setting of one session would not reach the others.
  create table jet.clock (
    one boolean not null default true,
    shift interval not null default interval '0 s',
    constraint clock_pkey primary key (one),
    constraint clock_one check (one)
  );
  insert into jet.clock default values;

  create function jet.now() returns timestamptz
  language sql stable set search_path = pg_catalog, pg_temp as $body$
    select clock_timestamp() + shift from jet.clock where one
  $body$;

  -- Every task of every machine takes its id from here, so an id names one task of the whole database.
  create sequence jet.task_id;

  create table jet.module (
    name text not null,
    hash text not null,
    compiler text not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint module_pkey primary key (name)
  );

  create table jet.machine (
    module text not null,
    name text not null,
    hash text not null,
    manifest jsonb not null,
    constraint machine_pkey primary key (module, name)
  );

  create type jet.sent as (applied boolean, state text, reason text);

  -- A lease is a worker's, not a task's: one row to keep alive however many tasks it holds. Leases go by the server's
  -- real clock, which no test moves.
  create table jet.worker (
    id bigint not null generated always as identity,
    name text not null,
    lease interval not null,
    started_at timestamptz not null,
    seen_at timestamptz not null,
    beating_since timestamptz not null,
    idle boolean not null default false,
    constraint worker_pkey primary key (id),
    constraint worker_lease check (lease > interval '0 s')
  ) with (fillfactor = 50);

  -- One row whose update runs the sweep of every installed module: each hangs a trigger on it.
  create table jet.pulse (
    one boolean not null default true,
    beat bigint not null default 0,
    dead bigint[] not null default '{}',
    late boolean not null default false,
    late_at timestamptz not null default '-infinity',
    quota integer not null default 0,
    done integer not null default 0,
    constraint pulse_pkey primary key (one),
    constraint pulse_one check (one)
  );
  insert into jet.pulse default values;

  -- Who acts: what the caller set as jet.actor, else the role that logged in.
  create function jet.actor() returns text
  language sql stable set search_path = pg_catalog, pg_temp as $body$
    select coalesce(nullif(current_setting('jet.actor', true), ''), session_user::text)
  $body$;

  create function jet.refuse_write() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $body$
  begin
    raise exception using
      message = 'a task of ' || tg_table_schema || '.' || tg_table_name || ' is changed by events only, so this write is refused',
      hint = 'send it an event: select ' || tg_table_schema || '.' || tg_table_name || '_send(id, ''EVENT''), or create one with '
        || tg_table_schema || '.' || tg_table_name || '_create(...)',
      errcode = '42501';
  end
  $body$;

  -- SKIP LOCKED raises serialization errors above READ COMMITTED.
  create function jet.need_read_committed() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $body$
  begin
    if current_setting('transaction_isolation') <> 'read committed' then
      raise exception using
        message = 'workers'' functions run in READ COMMITTED only, not in ' || upper(current_setting('transaction_isolation')),
        hint = 'begin isolation level read committed', errcode = '25001';
    end if;
  end
  $body$;

  -- Errors that are the server's trouble (serialization, resources, shutdown, broken files), not that of one task.
  create function jet.is_servers_trouble(_sqlstate text) returns boolean
  language sql immutable set search_path = pg_catalog, pg_temp as $body$
    select left(_sqlstate, 2) in ('40', '53', '55', '57', '58', 'XX')
  $body$;

  create function jet.wake(_machine text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  begin
    -- NOTIFY takes one lock for the whole server at commit: only when somebody sleeps.
    if exists (select from jet.worker where idle) then
      perform pg_notify('jet', _machine);
    end if;
  end
  $body$;

  -- Exponential, capped, with jitter: from half of the full delay up to all of it. The jitter is a hash of task and
  -- attempt, so that a run can be replayed.
  create function jet.backoff(_base interval, _attempts integer, _cap interval, _id bigint) returns interval
  language sql immutable set search_path = pg_catalog, pg_temp as $body$
    select least(extract(epoch from _cap)::double precision,
        extract(epoch from _base)::double precision * power(2::double precision, least(greatest(_attempts, 1) - 1, 60)))
      * (0.5 + (get_byte(h, 0) * 65536 + get_byte(h, 1) * 256 + get_byte(h, 2)) / 33554432::double precision)
      * interval '1 s'
    from sha256(convert_to(_id::text || ' ' || _attempts::text, 'UTF8')) as h
  $body$;

  create function jet.worker_start(_name text, _lease interval default interval '30 s') returns bigint
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    insert into jet.worker (name, lease, started_at, seen_at, beating_since)
    values (_name, _lease, clock_timestamp(), clock_timestamp(), clock_timestamp())
    returning id
  $body$;

  create function jet.worker_stop(_worker bigint) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    -- What it still holds is swept at once: its lease ends now.
    update jet.worker set seen_at = '-infinity', lease = interval '1 us', idle = false where id = _worker
  $body$;

  create function jet.worker_idle(_worker bigint, _idle boolean) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    update jet.worker set idle = _idle where id = _worker and idle <> _idle
  $body$;

  -- The name of a worker that may claim.
  create function jet.worker_name(_worker bigint) returns text
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_name text;
  begin
    select name into v_name from jet.worker where id = _worker and seen_at > '-infinity';
    if not found then
      raise exception using message = 'worker ' || coalesce(_worker::text, 'null') || ' is not known',
        hint = 'take an id with jet.worker_start(name) and keep it with jet.heartbeat(id)', errcode = '55000';
    end if;
    return v_name;
  end
  $body$;

  -- Ends the leases of workers that are gone. A lease counts from the last heartbeat or the start of the server,
  -- whichever came later: an outage of the database expires nobody.
  create function jet.sweep(_max integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_dead bigint[];
    v_late boolean;
    v_done integer;
  begin
    select late_at < clock_timestamp() - interval '1 min' into v_late from jet.pulse where one for update skip locked;
    if not found then
      return 0;
    end if;
    select coalesce(array_agg(id order by id), '{}') into v_dead from jet.worker
      where case when seen_at = '-infinity' then true
        else greatest(seen_at, pg_postmaster_start_time()) + lease < clock_timestamp() end;
    if v_dead = '{}' and not v_late then
      return 0;
    end if;
    update jet.pulse set beat = beat + 1, dead = v_dead, late = v_late, quota = _max, done = 0,
      late_at = case when v_late then clock_timestamp() else late_at end where one;
    select done into v_done from jet.pulse where one;
    if v_done = 0 then
      -- Nothing of theirs is left. A row stays for an hour, for a claim that was under way when its lease ended.
      delete from jet.worker where id = any(v_dead) and greatest(seen_at, started_at) < clock_timestamp() - interval '1 h';
    end if;
    return v_done;
  end
  $body$;

  revoke all on function jet.sweep(integer) from public;

  create function jet.heartbeat(_worker bigint) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_sweeps boolean;
  begin
    update jet.worker set seen_at = clock_timestamp(),
        beating_since = case when clock_timestamp() - seen_at > lease then clock_timestamp() else beating_since end
      where id = _worker and seen_at > '-infinity'
      returning clock_timestamp() - beating_since >= lease into v_sweeps;
    if not found then
      return false;
    end if;

    -- One that was cut off itself cannot tell whose lease ran out: it sweeps only after a whole lease of its own.
    if v_sweeps then
      perform jet.sweep(1000);
    end if;
    return true;
  end
  $body$;

  create function jet.tick(_max integer default 100) returns integer
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    select jet.sweep(_max)
  $body$;
end
$jet$;

-- Version 2: arrays, and what json holds.
do $jet$
begin
  if (select version from jet.meta) >= 2 then
    return;
  end if;
  update jet.meta set version = 2;

  -- Says what is wrong with the fields of an event or of a new task; null when nothing is.
  -- _spec: [{"name", "type", "sql", "required"}], in the order of the declaration.
  create or replace function jet.misfit(_what text, _payload jsonb, _spec jsonb) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp as $body$
  declare
    v_field record;
    v_value jsonb;
    v_item jsonb;
    v_unknown text;
  begin
    if jsonb_typeof(_payload) <> 'object' then
      return _what || ' takes an object of fields, not ' || jsonb_typeof(_payload);
    end if;
    select k into v_unknown from jsonb_object_keys(_payload) k
      where k not in (select s ->> 'name' from jsonb_array_elements(_spec) s) order by k limit 1;
    if v_unknown is not null then
      return _what || ' has no field ' || quote_literal(v_unknown);
    end if;
    for v_field in select s ->> 'name' as name, s ->> 'type' as type, (s ->> 'required')::boolean as required, s -> 'values' as choices,
          right(s ->> 'type', 2) = '[]' as is_array
        from jsonb_array_elements(_spec) s loop
      v_value := _payload -> v_field.name;
      if v_value is null or v_value = 'null'::jsonb then
        if v_field.required then
          return _what || ' needs field ' || quote_literal(v_field.name) || ' (' || v_field.type || ')';
        end if;
      elsif v_field.is_array and jsonb_typeof(v_value) <> 'array' then
        return _what || ' takes field ' || quote_literal(v_field.name) || ' as ' || v_field.type || ', which ' || left(v_value::text, 80) || ' is not';
      elsif v_field.choices is not null then
        for v_item in select e.value from jsonb_array_elements(case when v_field.is_array then v_value else jsonb_build_array(v_value) end) e
            where not (v_field.is_array and e.value = 'null'::jsonb) loop
          if jsonb_typeof(v_item) <> 'string' or not v_field.choices @> v_item then
            return _what || ' takes field ' || quote_literal(v_field.name) || ' as one of ' || v_field.choices::text || ', which ' || left(v_item::text, 80) || ' is not';
          end if;
        end loop;
      elsif not jet.fits(v_value, v_field.type) then
        return _what || ' takes field ' || quote_literal(v_field.name) || ' as ' || v_field.type || ', which ' || left(v_value::text, 80) || ' is not';
      end if;
    end loop;
    return null;
  end
  $body$;

  create or replace function jet.fits(_value jsonb, _type text) returns boolean
  language plpgsql stable set search_path = pg_catalog, pg_temp as $body$
  declare
    v_text text := _value #>> '{}';
    v_kind text := jsonb_typeof(_value);
  begin
    if _type = 'json' then
      return true;
    elsif right(_type, 2) = '[]' then
      -- An element may be null.
      return v_kind = 'array' and not exists (select from jsonb_array_elements(_value) e
        where e <> 'null'::jsonb and not jet.fits(e, left(_type, -2)));
    elsif v_kind in ('object', 'array') then
      return false;
    elsif _type = 'text' then
      return v_kind = 'string';
    elsif _type = 'bool' then
      return v_kind = 'boolean';
    elsif v_kind = 'boolean' then
      return false;
    end if;
    case _type
      when 'int' then perform v_text::integer;
      when 'bigint' then perform v_text::bigint;
      when 'float' then perform v_text::double precision;
      when 'numeric' then perform v_text::numeric;
      when 'uuid' then perform v_text::uuid;
      when 'timestamptz' then perform v_text::timestamptz;
      when 'date' then perform v_text::date;
      when 'interval' then perform v_text::interval;
      when 'bytes' then perform v_text::bytea;
      else return false;
    end case;
    return true;
  exception when data_exception or undefined_function or cannot_coerce then
    return false;
  end
  $body$;

  -- The text of a json value that is to become a value of _type, which the caller casts it to; null for json's null.
  create or replace function jet.scalar(_value jsonb, _type text) returns text
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
  declare
    v_kind text := jsonb_typeof(_value);
  begin
    if v_kind is null or v_kind = 'null' then
      return null;
    elsif _type = 'text' or v_kind = 'string' and _type <> 'bool' or v_kind = 'boolean' and _type = 'bool'
        or v_kind = 'number' and _type in ('int', 'bigint', 'float', 'numeric', 'interval') then
      return _value #>> '{}';
    end if;
    raise exception using message = 'json ' || left(_value::text, 80) || ' is no ' || _type, errcode = '22P02';
  end
  $body$;

  -- The same for each element of a json array.
  create or replace function jet.items(_value jsonb, _type text) returns text[]
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
  begin
    if _value is null or _value = 'null'::jsonb then
      return null;
    elsif jsonb_typeof(_value) <> 'array' then
      raise exception using message = 'json ' || left(_value::text, 80) || ' is no ' || _type || '[]', errcode = '22P02';
    end if;
    return array(select jet.scalar(e.value, _type) from jsonb_array_elements(_value) with ordinality e order by e.ordinality);
  end
  $body$;

  create or replace function jet.values(_value jsonb) returns jsonb[]
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
  begin
    if _value is null or _value = 'null'::jsonb then
      return null;
    elsif jsonb_typeof(_value) <> 'array' then
      raise exception using message = 'json ' || left(_value::text, 80) || ' is no json[]', errcode = '22P02';
    end if;
    return array(select nullif(e.value, 'null'::jsonb) from jsonb_array_elements(_value) with ordinality e order by e.ordinality);
  end
  $body$;

  -- A task that kept the id of one that it was to meet under unique, or to make, has another after all: somebody came
  -- between. Done again, the dispatch finds it.
  create or replace function jet.need_named(_tasks jsonb, _ids bigint[], _machine text) returns void
  language plpgsql immutable set search_path = pg_catalog, pg_temp as $body$
  begin
    if exists (select from jsonb_array_elements(_tasks) with ordinality e
        where (e.value ->> '_as')::bigint <> _ids[e.ordinality]) then
      raise exception using message = 'a live task of ' || _machine || ' came between', errcode = '23505',
        hint = 'do it again: it is the one that will be found';
    end if;
  end
  $body$;

  -- Timers that are due: each module that has some hangs a trigger on a column of this one row, too.
  alter table jet.pulse add column fires bigint not null default 0,
    add column fired_at timestamptz not null default '-infinity';

  -- Fires due timers of all modules, up to _max a machine, unless that was done less than _pause ago.
  create function jet.fire(_max integer, _pause interval) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_done integer;
  begin
    perform from jet.pulse where one and fired_at <= clock_timestamp() - _pause for update skip locked;
    if not found or not exists (select from jet.machine where manifest -> 'timers' = 'true') then
      return 0;
    end if;
    update jet.pulse set fires = fires + 1, fired_at = clock_timestamp(), quota = _max, done = 0 where one;
    select done into v_done from jet.pulse where one;
    return v_done;
  end
  $body$;

  revoke all on function jet.fire(integer, interval) from public;

  create or replace function jet.heartbeat(_worker bigint) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_sweeps boolean;
  begin
    update jet.worker set seen_at = clock_timestamp(),
        beating_since = case when clock_timestamp() - seen_at > lease then clock_timestamp() else beating_since end
      where id = _worker and seen_at > '-infinity'
      returning clock_timestamp() - beating_since >= lease into v_sweeps;
    if not found then
      return false;
    end if;

    -- One that was cut off itself cannot tell whose lease ran out: it sweeps only after a whole lease of its own.
    if v_sweeps then
      perform jet.sweep(1000);
    end if;
    perform jet.fire(1000, interval '5 s');
    return true;
  end
  $body$;

  create or replace function jet.tick(_max integer default 100) returns integer
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    select jet.sweep(_max) + jet.fire(_max, interval '0 s')
  $body$;
end
$jet$;
