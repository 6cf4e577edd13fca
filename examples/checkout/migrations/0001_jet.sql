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
--   jet.schedule, jet.slot   what tasks are created when, and whether they were
--   jet.retention      what is removed after a time
--   jet.trace          where traces of requests go on, for callers and workers that trace
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

-- Version 2: arrays and json, timers, messages, schedules, limits, retention, traces.
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

  -- Rates. _begun: {window in ms: {end of a slice of time: how many began in it}}, a slice being a 64th of the window. A slice
  -- counts until a whole window after its end, so that in no window, wherever it begins, there are more than the limit says.
  create or replace function jet.rate_left(_begun jsonb, _window bigint, _count integer, _now timestamptz) returns integer
  language sql immutable set search_path = pg_catalog, pg_temp as $body$
    select (_count - coalesce(sum(e.value::integer), 0))::integer from jsonb_each_text(_begun -> _window::text) e
      where e.key::bigint > extract(epoch from _now) * 1000 - _window
  $body$;

  create or replace function jet.rate_begun(_begun jsonb, _window bigint, _n integer, _now timestamptz) returns jsonb
  language sql immutable set search_path = pg_catalog, pg_temp as $body$
    select _begun || jsonb_build_object(_window::text, coalesce(
      (select jsonb_object_agg(s.slice, s.n) from (
        select b.slice, sum(b.n) as n from (
          select e.key::bigint as slice, e.value::integer as n from jsonb_each_text(_begun -> _window::text) e
          union all
          select (ceil(extract(epoch from _now) * 1000 / greatest(_window / 64, 1)) * greatest(_window / 64, 1))::bigint, _n) b
        where b.slice > extract(epoch from _now) * 1000 - _window and b.n > 0
        group by b.slice) s), '{}'))
  $body$;

  -- What no worker claims for the time being: a machine (state is empty), or one of its queues. Claims look here first.
  create table jet.paused (
    machine text collate "C" not null,
    state text collate "C" not null,
    at timestamptz not null,
    actor text not null,
    constraint paused_pkey primary key (machine, state)
  );

  -- The queues that a state means: itself, those of a step, or those that lead to it. Of no state: the whole machine.
  create function jet.queues(_machine text, _state text) returns text[]
  language plpgsql stable set search_path = pg_catalog, pg_temp as $body$
  declare
    v_queues jsonb;
    v_found text[];
  begin
    select m.manifest -> 'claimable' into v_queues from jet.machine m where m.module || '.' || m.name = _machine;
    if not found then
      raise exception using message = 'there is no machine ' || coalesce(_machine, 'null'), errcode = '22023',
        hint = 'the names of all: select module, name from jet.machine';
    elsif _state is null then
      return array[''];
    end if;
    v_found := array(select q.key from jsonb_each_text(v_queues) q
      where q.key = _state or q.value = _state or starts_with(q.key, _state || '.') order by q.key);
    if v_found = '{}' then
      raise exception using message = 'state ' || _state || ' of ' || _machine || ' is no queue', errcode = '22023',
        hint = 'its queues are: ' || coalesce((select string_agg(k, ', ' order by k) from jsonb_object_keys(v_queues) k), 'none');
    end if;
    return v_found;
  end
  $body$;

  -- No worker claims tasks of the machine, or of this state, from the next claim on; what is at work goes on.
  create function jet.pause(_machine text, _state text default null) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    insert into jet.paused (machine, state, at, actor)
      select _machine, q, jet.now(), jet.actor() from unnest(jet.queues(_machine, _state)) q
      on conflict do nothing
  $body$;

  -- Takes that back: for a machine with all its states, or for one state.
  create function jet.resume(_machine text, _state text default null) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_queues text[] := jet.queues(_machine, _state);
  begin
    if _state is not null and exists (select from jet.paused p where p.machine = _machine and p.state = '') then
      raise exception using message = _machine || ' is paused as a whole', errcode = '55000',
        hint = 'resume all of it: select jet.resume(' || quote_literal(_machine) || ')';
    end if;
    delete from jet.paused p where p.machine = _machine and (_state is null or p.state = any(v_queues));
    perform jet.wake(_machine);
  end
  $body$;

  -- Schedules, one row each, as the modules' sources say; their slots are written up to a moment, ahead of time.
  -- plan: {"every": seconds}, or the fields of a cron expression, each a list of texts, of which "*" stands for all.
  create table jet.schedule (
    module text not null,
    name text not null,
    plan jsonb not null,
    zone text not null,
    missed text not null,
    paused boolean not null default false,
    written timestamptz not null,
    constraint schedule_pkey primary key (module, name),
    constraint schedule_missed check (missed in ('latest', 'all', 'skip'))
  );

  -- A moment of a schedule. Whoever sweeps writes slots and fires them, and none comes twice. outcome: null for one that is
  -- to come, fired, missed, paused (it fell due while the schedule was), failed.
  create table jet.slot (
    module text not null,
    name text not null,
    at timestamptz not null,
    outcome text,
    done_at timestamptz,
    task bigint,
    error text,
    constraint slot_pkey primary key (module, name, at),
    constraint slot_outcome check (outcome in ('fired', 'missed', 'paused', 'failed'))
  );
  create index slot_due on jet.slot (at) where outcome is null;
  create index slot_done on jet.slot (done_at) where outcome is not null;

  -- When clocks of a zone first show a time: of one that comes twice, the first, and in place of one that they leave out,
  -- the first minute behind the gap.
  create function jet.moment(_local timestamp, _zone text) returns timestamptz
  language sql stable set search_path = pg_catalog, pg_temp as $body$
    select coalesce(
      (select min(c.at) from (values (r.early), (r.late)) as c (at) where c.at at time zone _zone = _local),
      (select min(g.at) from generate_series(r.early, r.late, interval '1 min') as g (at) where g.at at time zone _zone >= _local))
    from (
      select least(b.x, a.x) as early, greatest(b.x, a.x) as late
      from (values (_local at time zone 'UTC')) as u (t),
        -- As with the clocks of a day before, and as with those of a day after.
        lateral (select (_local - ((u.t - interval '24 h') at time zone _zone - (u.t - interval '24 h') at time zone 'UTC')) at time zone 'UTC') as b (x),
        lateral (select (_local - ((u.t + interval '24 h') at time zone _zone - (u.t + interval '24 h') at time zone 'UTC')) at time zone 'UTC') as a (x)
    ) r
  $body$;

  -- The days on which a cron expression may run.
  create function jet.cron_days(_plan jsonb, _from date, _to date) returns setof date
  language sql immutable set search_path = pg_catalog, pg_temp as $body$
    select d.day
    from (
      select array(select jsonb_array_elements_text(_plan -> 'days')) as days,
        array(select jsonb_array_elements_text(_plan -> 'months')) as months,
        array(select jsonb_array_elements_text(_plan -> 'weekdays')) as weekdays
    ) p
    cross join lateral (select _from + n.n as day from generate_series(0, _to - _from) as n (n)) d
    cross join lateral (
      select extract(day from d.day)::integer as number, extract(dow from d.day)::integer::text as weekday,
        (date_trunc('month', d.day::timestamp) + interval '1 mon')::date - 1 as last
    ) c
    cross join lateral (
      select '*' = any(p.days) or c.number::text = any(p.days) or 'L' = any(p.days) and d.day = c.last
          or 'LW' = any(p.days) and d.day = c.last - greatest(extract(isodow from c.last)::integer - 5, 0) as day,
        '*' = any(p.weekdays) or c.weekday = any(p.weekdays) or c.weekday || '#' || (c.number + 6) / 7 = any(p.weekdays)
          or c.weekday || 'L' = any(p.weekdays) and d.day + 7 > c.last as weekday
    ) m
    where ('*' = any(p.months) or extract(month from d.day)::integer::text = any(p.months))
      and case when (_plan -> 'meets')::boolean then m.day and m.weekday else m.day or m.weekday end
  $body$;

  -- The slots behind one moment, up to another.
  create function jet.slots(_plan jsonb, _zone text, _after timestamptz, _until timestamptz) returns setof timestamptz
  language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $body$
  declare
    v_every interval := make_interval(secs => (_plan ->> 'every')::double precision);
    v_minutes text[] := array(select jsonb_array_elements_text(_plan -> 'minutes'));
    v_hours text[] := array(select jsonb_array_elements_text(_plan -> 'hours'));
    v_days date[];
  begin
    if v_every is not null then
      return query select x.at
        from generate_series(date_bin(v_every, _after, timestamptz '1970-01-01 00:00:00Z') + v_every, _until, v_every) as x (at);
      return;
    end if;
    v_days := array(select jet.cron_days(_plan, (_after at time zone _zone)::date - 1, (_until at time zone _zone)::date + 1));
    if (_plan -> 'fixed')::boolean then
      -- Hours and minutes of a day, each of which comes once.
      return query select distinct m.at
        from unnest(v_days) as d (day) cross join generate_series(0, 23) as h (hour) cross join generate_series(0, 59) as i (minute)
          cross join lateral jet.moment(d.day + make_time(h.hour, i.minute, 0), _zone) as m (at)
        where ('*' = any(v_hours) or h.hour::text = any(v_hours)) and ('*' = any(v_minutes) or i.minute::text = any(v_minutes))
          and m.at > _after and m.at <= _until;
      return;
    end if;

    -- By the minutes as they pass, whatever the clocks are put to.
    return query select x.at
      from generate_series(date_trunc('minute', _after) + interval '1 min', _until, interval '1 min') as x (at)
        cross join lateral (select x.at at time zone _zone as local) l
      where l.local::date = any(v_days)
        and ('*' = any(v_hours) or extract(hour from l.local)::integer::text = any(v_hours))
        and ('*' = any(v_minutes) or extract(minute from l.local)::integer::text = any(v_minutes));
  end
  $body$;

  -- The next slot of a module behind a moment, up to a year: tests set their clock by it.
  create function jet.next_slot(_module text, _after timestamptz) returns timestamptz
  language sql stable set search_path = pg_catalog, pg_temp as $body$
    select min(coalesce(
      (select min(s.at) from jet.slots(c.plan, c.zone, _after, _after + interval '48 h') as s (at)),
      (select min(s.at) from jet.slots(c.plan, c.zone, _after, _after + interval '8784 h') as s (at))))
    from jet.schedule c where c.module = _module and not c.paused
  $body$;

  -- Writes the slots of the next 48 hours, each hour's when it comes near, and forgets those that were done 30 days ago.
  create function jet.write_slots(_now timestamptz) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $body$
  begin
    if not exists (select from jet.schedule where written not between _now + interval '47 h' and _now + interval '49 h') then
      return;
    end if;
    with near as (
      -- What is written farther ahead was so before somebody set the clock back.
      select c.module, c.name, c.plan, c.zone, case when c.written > _now + interval '48 h' then _now else c.written end as written from jet.schedule c
      where c.written not between _now + interval '47 h' and _now + interval '49 h' for no key update
    ), slots as (
      insert into jet.slot (module, name, at)
      select n.module, n.name, s.at from near n cross join lateral jet.slots(n.plan, n.zone, n.written, _now + interval '48 h') as s (at)
      on conflict do nothing
    )
    update jet.schedule c set written = _now + interval '48 h' from near n where c.module = n.module and c.name = n.name;
    delete from jet.slot s using (
      select o.module, o.name, o.at from jet.slot o where o.outcome is not null and o.done_at < _now - interval '30 d'
      order by o.done_at limit 1000) d
    where s.module = d.module and s.name = d.name and s.at = d.at;
  end
  $body$;

  -- What is due of one module's schedules, the earliest first. A slot is missed when it is five minutes late.
  create function jet.due(_module text, _now timestamptz, _max integer) returns table (name text, at timestamptz, today date)
  language sql set search_path = pg_catalog, pg_temp as $body$
    with due as (
      select s.name, s.at, (s.at at time zone c.zone)::date as today, c.paused,
        s.at < _now - interval '5 min' and (c.missed = 'skip'
          or c.missed = 'latest' and s.at < max(s.at) over (partition by s.name)) as missed
      from jet.slot s join jet.schedule c on c.module = s.module and c.name = s.name
      where s.module = _module and s.outcome is null and s.at <= _now
    ), passed as (
      update jet.slot s set outcome = case when d.paused then 'paused' else 'missed' end, done_at = _now
      from due d where s.module = _module and s.name = d.name and s.at = d.at and (d.paused or d.missed)
    )
    select d.name, d.at, d.today from due d where not d.paused and not d.missed order by d.at, d.name limit _max
  $body$;

  -- What a slot came to: a task, or an error.
  create function jet.slot_done(_module text, _name text, _at timestamptz, _now timestamptz, _task bigint, _error text) returns void
  language sql set search_path = pg_catalog, pg_temp as $body$
    update jet.slot set outcome = case when _error is null then 'fired' else 'failed' end, done_at = _now, task = _task, error = _error
    where module = _module and name = _name and at = _at
  $body$;

  -- A schedule as its source says it now. What fell due under the former plan stays due; what was to come is forgotten.
  create function jet.schedule_put(_module text, _name text, _plan jsonb, _zone text, _missed text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $body$
  declare
    v_now timestamptz := jet.now();
  begin
    perform jet.write_slots(v_now);
    delete from jet.slot s using jet.schedule c
      where s.module = _module and s.name = _name and s.outcome is null and s.at > v_now
        and c.module = _module and c.name = _name and (c.plan, c.zone) is distinct from (_plan, _zone);
    insert into jet.schedule as c (module, name, plan, zone, missed, written) values (_module, _name, _plan, _zone, _missed, v_now)
      on conflict (module, name) do update set plan = _plan, zone = _zone, missed = _missed,
        written = case when (c.plan, c.zone) is distinct from (_plan, _zone) then v_now else c.written end;
  end
  $body$;

  create function jet.schedule_drop(_module text, _name text) returns void
  language sql set search_path = pg_catalog, pg_temp as $body$
    delete from jet.slot where module = _module and name = _name and outcome is null;
    delete from jet.schedule where module = _module and name = _name
  $body$;

  -- Nothing fires while a schedule is paused, and what falls due meanwhile is not made up for.
  create function jet.schedule_pause(_schedule text, _paused boolean default true) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_now timestamptz := jet.now();
  begin
    perform jet.write_slots(v_now);
    update jet.slot s set outcome = 'paused', done_at = v_now from jet.schedule c
      where c.module || '.' || c.name = _schedule and c.paused
        and s.module = c.module and s.name = c.name and s.outcome is null and s.at <= v_now;
    update jet.schedule c set paused = _paused where c.module || '.' || c.name = _schedule;
    if not found then
      raise exception using message = 'there is no schedule ' || quote_literal(_schedule), errcode = 'P0002',
        hint = 'those there are: select module, name from jet.schedule';
    end if;
  end
  $body$;

  create function jet.schedule_resume(_schedule text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    select jet.schedule_pause(_schedule, false)
  $body$;

  revoke all on function jet.write_slots(timestamptz), jet.due(text, timestamptz, integer),
    jet.slot_done(text, text, timestamptz, timestamptz, bigint, text), jet.schedule_put(text, text, jsonb, text, text),
    jet.schedule_drop(text, text) from public;

  -- What is removed after a time, a row each: tasks that ended in a state, or history. Up to (at, id) it was looked at since
  -- began, and it is looked at again at next_at.
  create table jet.retention (
    module text not null,
    machine text not null,
    what text not null,
    at timestamptz not null default '-infinity',
    id bigint not null default 0,
    began timestamptz not null default '-infinity',
    next_at timestamptz not null default '-infinity',
    constraint retention_pkey primary key (module, machine, what)
  ) with (fillfactor = 50);

  -- After a batch up to (_at, _id). A full one calls for the next at once; else there is a minute's rest, and each hour a new
  -- beginning, so that dead index entries are not walked each time.
  create function jet.forgot(
    _module text, _machine text, _what text, _now timestamptz, _at timestamptz, _id bigint, _full boolean) returns void
  language sql set search_path = pg_catalog, pg_temp as $body$
    update jet.retention r set
      at = case when not f.anew then coalesce(_at, r.at) else '-infinity' end,
      id = case when not f.anew then coalesce(_id, r.id) else 0 end,
      began = case when f.anew then _now else r.began end,
      next_at = case when coalesce(_full, false) then _now else _now + interval '1 min' end
    from (select not coalesce(_full, false) and o.began <= _now - interval '1 h' as anew from jet.retention o
      where o.module = _module and o.machine = _machine and o.what = _what) f
    where r.module = _module and r.machine = _machine and r.what = _what
  $body$;

  revoke all on function jet.forgot(text, text, text, timestamptz, timestamptz, bigint, boolean) from public;

  -- For the table as it stood at a moment of which there is no history any more.
  create function jet.need_history(_machine text, _at timestamptz, _age interval) returns boolean
  language plpgsql stable set search_path = pg_catalog, pg_temp as $body$
  begin
    if _at < jet.now() - _age then
      raise exception using message = 'the history of ' || _machine || ' is kept for ' || _age, errcode = '22023',
        hint = 'ask for a later moment, or have the source keep history longer';
    end if;
    return true;
  end
  $body$;

  -- Where traces go on: the context that came with a task's creation, and with the last event sent to it that it took. Only
  -- callers that trace write a row, only workers that trace read one; others pay nothing.
  create table jet.trace (
    task bigint not null,
    created jsonb,
    sent jsonb,
    at timestamptz not null,
    constraint trace_pkey primary key (task)
  );
  create index trace_at on jet.trace (at);

  -- Around a create or create_many: notes the context of new tasks, and gives their ids on. A task that was there keeps its own.
  create function jet.trace_created(_tasks bigint[], _context jsonb) returns setof bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  begin
    insert into jet.trace (task, created, at)
      select distinct u.task, _context, jet.now() from unnest(_tasks) as u (task) order by u.task
      on conflict do nothing;
    return query select u.task from unnest(_tasks) with ordinality as u (task, n) order by u.n;
  end
  $body$;

  create function jet.trace_sent(_task bigint, _context jsonb) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    insert into jet.trace (task, sent, at) values (_task, _context, jet.now())
      on conflict (task) do update set sent = excluded.sent, at = excluded.at
  $body$;

  -- Nobody looks for a trace after a month.
  create function jet.forget_traces() returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    delete from jet.trace where task in (
      select t.task from jet.trace t where t.at < jet.now() - interval '30 d' order by t.at limit 1000 for update skip locked)
  $body$;

  revoke all on function jet.forget_traces() from public;

  -- Timers and slots that are due: each module that has some hangs a trigger on a column of this one row, too.
  alter table jet.pulse add column fires bigint not null default 0,
    add column fired_at timestamptz not null default '-infinity';

  -- Fires due timers and slots of all modules, up to _max a machine, unless that was done less than _pause ago.
  create function jet.fire(_max integer, _pause interval) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_done integer;
  begin
    perform from jet.pulse where one and fired_at <= clock_timestamp() - _pause for update skip locked;
    if not found then
      return 0;
    end if;
    perform jet.write_slots(jet.now());
    perform jet.forget_traces();
    if not exists (select from jet.machine where manifest -> 'timers' = 'true')
        and not exists (select from jet.slot where outcome is null and at <= jet.now())
        and not exists (select from jet.retention where next_at <= jet.now()) then
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

  -- Messages on their way to tasks, in the order in which they were written. A pump applies those of a task and deletes
  -- them in one transaction. Those of a stuck task wait in jet.parked, out of the pumps' way, and so do those that found
  -- no task to take them, which have a reason.
  create table if not exists jet.inbox (
    seq bigint not null generated by default as identity,
    machine text collate "C" not null,
    receiver bigint not null,
    event text collate "C" not null,
    payload jsonb,
    way text collate "C",
    sender bigint,
    actor text not null,
    at timestamptz not null,
    constraint inbox_pkey primary key (machine, receiver, seq)
  );

  create table if not exists jet.parked (
    seq bigint not null default nextval('jet.inbox_seq_seq'),
    machine text collate "C",
    receiver bigint not null,
    event text collate "C" not null,
    payload jsonb,
    way text collate "C",
    sender bigint,
    actor text not null,
    at timestamptz not null,
    reason text,
    constraint parked_pkey primary key (receiver, seq)
  );

  -- What came while a task was stuck waits for a pump again, where it stood in the order.
  create or replace function jet.unpark(_machine text, _task bigint) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $body$
  begin
    with m as (
      delete from jet.parked p where p.receiver = _task and p.machine = _machine and p.reason is null returning p.*)
    insert into jet.inbox (seq, machine, receiver, event, payload, way, sender, actor, at)
      select m.seq, m.machine, m.receiver, m.event, m.payload, m.way, m.sender, m.actor, m.at from m;
    perform jet.wake(_machine);
  end
  $body$;

  -- Two counts by key as one; null where nothing is left.
  create or replace function jet.add(_a jsonb, _b jsonb) returns jsonb
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
    select jsonb_object_agg(s.key, s.number) from (
      select e.key, sum(e.value::bigint) as number from (
        select * from jsonb_each_text(coalesce(_a, '{}')) union all select * from jsonb_each_text(coalesce(_b, '{}'))) e
      group by e.key having sum(e.value::bigint) <> 0) s
  $body$;

  -- What some keys of a count come to; + and - mean all that begin with them, null all there are.
  create or replace function jet.tally(_counts jsonb, _keys text[]) returns integer
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
    select coalesce(sum(e.value::integer), 0)::integer from jsonb_each_text(coalesce(_counts, '{}')) e
    where _keys is null or e.key = any(_keys) or left(e.key, 1) = any(_keys)
  $body$;

  -- How many of a count have not ended.
  create or replace function jet.unfinished(_counts jsonb) returns integer
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
    select coalesce(sum(e.value::integer), 0)::integer from jsonb_each_text(coalesce(_counts, '{}')) e
    where left(e.key, 1) not in ('+', '-')
  $body$;

  -- New children by key, which _keys has by machine.
  create or replace function jet.newborn(_spawns jsonb, _keys jsonb) returns jsonb
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
    select jsonb_object_agg(s.key, s.number) from (
      select _keys ->> (e.value ->> 'machine') as key, count(*) as number from jsonb_array_elements(coalesce(_spawns, '[]')) e
      where not (e.value ->> 'root')::boolean and (e.value -> 'met') is distinct from 'true'
        and (_keys -> (e.value ->> 'machine')) is not null group by 1) s
  $body$;

  -- What the news among some messages come to: of the children themselves (own), or of those below them.
  create or replace function jet.gathered(_messages jsonb[], _part text) returns jsonb
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
    select jsonb_object_agg(s.key, s.number) from (
      select e.key, sum(e.value::bigint) as number
      from unnest(_messages) m cross join lateral jsonb_each_text(nullif(m -> 'payload' -> _part, 'null')) e
      where m ->> 'event' = 'news' group by e.key having sum(e.value::bigint) <> 0) s
  $body$;

  -- The messages without the news among them; in their place stand the ends of children that they tell of.
  create or replace function jet.unfolded(_messages jsonb[], _own text) returns jsonb[]
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $body$
    select array(
      select x.value from unnest(_messages) with ordinality m (value, number) cross join lateral (
        select m.value, 0::bigint where m.value ->> 'event' <> 'news'
        union all
        select jsonb_build_object('event', 'CHILD_DONE', 'actor', m.value ->> 'actor', 'payload', d.value || jsonb_build_object('machine',
          case when starts_with(d.value ->> 'machine', _own) then substr(d.value ->> 'machine', length(_own) + 1) else d.value ->> 'machine' end)),
          d.ordinality
        from jsonb_array_elements(nullif(m.value -> 'payload' -> 'done', 'null')) with ordinality d
        where m.value ->> 'event' = 'news') x (value, place)
      order by m.number, x.place)
  $body$;

  alter table jet.pulse add column if not exists pumps bigint not null default 0, add column if not exists pumped text collate "C" not null default '';

  -- Applies messages to tasks of one machine, up to _max tasks, the next in turn of those that have some: a transaction
  -- that held locks on tasks of several could wait crosswise with another.
  create or replace function jet.pump(_max integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
  declare
    v_last text;
    v_next text;
    v_done integer;
  begin
    select pumped into v_last from jet.pulse where one for update skip locked;
    if not found then
      return 0;
    end if;
    select coalesce(
      (select i.machine from jet.inbox i where i.machine > v_last order by i.machine limit 1),
      (select i.machine from jet.inbox i order by i.machine limit 1)) into v_next;
    if v_next is null then
      return 0;
    end if;
    update jet.pulse set pumps = pumps + 1, pumped = v_next, quota = _max, done = 0 where one;
    select done into v_done from jet.pulse where one;
    return v_done;
  end
  $body$;

  revoke all on function jet.pump(integer) from public;

  create or replace function jet.tick(_max integer default 100) returns integer
  language sql security definer set search_path = pg_catalog, pg_temp as $body$
    select jet.sweep(_max) + jet.fire(_max, interval '0 s') + jet.pump(_max)
  $body$;
end
$jet$;
