-- 0002_shop.sql, made by jetpackc 0.1.0 from workflows.jet.
--   adds machine shop.checkout
--   adds machine shop.shipment
--   adds machine shop.send_receipt
--   adds machine shop.audit
-- Check it in; do not edit it. Apply it with jetpackc migrate, or with any other runner in one transaction,
-- after those of lower numbers.

create schema shop;

comment on schema shop is 'An online checkout. Compiles to the Postgres schema "shop".';

create domain shop.tier as text collate "C"
  constraint tier_check check (value in ('free', 'pro'));

-- One row a task of machine shop.checkout (workflows.jet line 12). Columns that begin with _ are the engine's.
create table shop.checkout (
  id bigint not null,
  state text collate "C" not null default 'cart',
  attempts integer not null default 0,
  depth integer not null default 0,
  parent bigint,
  root bigint not null,
  created_at timestamptz not null,
  entered_at timestamptz not null,
  run_at timestamptz,
  order_id bigint not null,
  email text not null,
  tier shop.tier not null,
  charged numeric not null,
  receipt_url text,
  _priority integer not null default 0,
  _at timestamptz not null,
  _seq integer not null default 1,
  _ended boolean not null default false,
  _applied boolean not null default true,
  _event text collate "C",
  _payload jsonb,
  _set jsonb,
  _actor text not null,
  _send_key text collate "C",
  _worker bigint,
  _token bigint,
  _fence bigint,
  _was_state text collate "C",
  _was_entered timestamptz,
  _was_event text collate "C",
  _changed jsonb,
  _hops jsonb,
  _spawns jsonb,
  _stuck jsonb,
  _creator text not null,
  _key text collate "C",
  _timers timestamptz[],
  _timer_at timestamptz,
  constraint checkout_state_check check (state in ('cart', 'charging.ready', 'charging.running', 'fulfilling', 'attention', 'done', 'cancelled', 'expired', 'refused')),
  constraint checkout_pkey primary key (id)
) with (fillfactor = 45);

create index checkout_claim on shop.checkout (_priority, run_at, id) where run_at is not null;

create unique index checkout_key on shop.checkout (_key) where _key is not null;

create index checkout_stuck on shop.checkout (id) where _stuck is not null;

create index checkout_timer on shop.checkout (_timer_at, id) where _timer_at is not null;

create unique index checkout_unique_1 on shop.checkout (order_id) nulls not distinct where not _ended;

-- What happened to the tasks of shop.checkout, one row a dispatch, append-only; shop.checkout_history unfolds it to one row a hop.
-- from_state, entered_at, attempts, run_at and was (its vars, where they changed) tell how the task stood before, which is
-- what shop.checkout_at reads. A claim is written with the dispatch that follows it: claimed_*.
create table shop._checkout_hops (
  id bigint not null,
  seq integer not null,
  at timestamptz not null,
  event text collate "C",
  payload jsonb,
  actor text not null,
  from_state text collate "C" not null,
  to_state text collate "C",
  entered_at timestamptz not null,
  attempts integer not null,
  run_at timestamptz,
  changed jsonb,
  hops jsonb,
  was jsonb,
  token bigint,
  send_key text collate "C",
  claimed_state text collate "C",
  claimed_entered timestamptz,
  claimed_actor text
);

create index _checkout_hops_id on shop._checkout_hops (id, seq);

create unique index _checkout_hops_key on shop._checkout_hops (id, send_key) where send_key is not null;

-- Which task the create with a key gave, where `unique … or return` may have given one that was there.
create table shop._checkout_keys (
  key text collate "C" not null,
  id bigint not null,
  constraint _checkout_keys_pkey primary key (key)
);

-- The machine itself. An UPDATE that sets _event sends one event to a task; this trigger runs it to completion: the clause,
-- its effects, exits, the new state, enters, and on until the task rests. What it leaves in _changed, _hops and _spawns
-- the statement trigger behind it writes to the history and turns into tasks.
create or replace function shop._checkout_step() returns trigger
language plpgsql as $jet$
declare
  v_now timestamptz := new._at;
  v_event text := new._event;
  v_from text;
  v_to text;
  v_raised text;
  v_unfit text;
  v_hop_event text;
  v_taken boolean := false;
  v_delay interval;
  v_changed jsonb;
  v_spawns jsonb;
  v_trail jsonb;
  v_hops integer := 0;
  v_timer_1 timestamptz := new._timers[1];
  v_timer integer;
  v_due timestamptz;
begin
  -- One dispatch has one time, later than the last one's.
  if old._at is not null and v_now <= old._at then
    v_now := greatest(case when v_now = old._at then jet.now() else v_now end, old._at + interval '1 us');
    new._at := v_now;
  end if;

  -- workflows.jet line 23: a worker takes it. This changes nothing that an index mentions; its history comes with the next hop.
  if v_event = 'LOCKED_BY_WORKER' and old.state = 'charging.ready' then
    new.state := 'charging.running';
    new.attempts := old.attempts + 1;
    new.entered_at := v_now;
    new._seq := old._seq + 1;
    new._token := new._seq;
    new._applied := true;
    new._was_state := old.state;
    new._was_entered := old.entered_at;
    new._was_event := case when old._applied then old._event end;
    new._spawns := null;  -- of the dispatch before, which made them
    return new;
  end if;
  new._applied := true;
  new._was_state := null;
  new._changed := null;
  new._hops := null;
  new._spawns := null;
  if new._set is not null then
    -- task.set of the handler, before the guards of its outcome; a failed run leaves no trace.
    if v_event <> 'ERROR' then
      if (new._set -> 'charged') is not null then
        new.charged := (new._set ->> 'charged')::numeric;
        v_changed := coalesce(v_changed, '{}') || jsonb_build_object('charged', new.charged);
      end if;
      if (new._set -> 'receipt_url') is not null then
        new.receipt_url := (new._set ->> 'receipt_url');
        v_changed := coalesce(v_changed, '{}') || jsonb_build_object('receipt_url', new.receipt_url);
      end if;
    end if;
    new._set := null;
  end if;

  -- A new task: the timers of its first state are to be set.
  if tg_op = 'INSERT' then
    v_timer_1 := '-infinity';
  end if;
  if v_event in ('timer', 'spent') then
    -- The one that is due first, of several due at once the first in the source. It fires once, whatever its guard says.
    v_due := least(v_timer_1);
    v_timer := case v_due when v_timer_1 then 1 end;
    if v_due is not null then
      new._payload := jsonb_build_object('due', v_due, 'lag', extract(epoch from v_now - v_due));
    end if;
    v_timer_1 := case when v_timer <> 1 then v_timer_1 end;
  end if;
  <<macrostep>>
  loop
    v_to := null;
    v_raised := null;
    <<clause>>
    begin
      if v_event is not null then
        v_taken := true;
        if new.state = 'charging.running' then
          if v_event = 'SUCCESS' then
            if new._fence is not null and (new._payload ->> 'receipt_url') is null then
              v_unfit := 'SUCCESS needs field ''receipt_url'' (text)';
              v_taken := false;
            else
              -- workflows.jet line 26
              new.receipt_url := (new._payload ->> 'receipt_url');
              v_changed := coalesce(v_changed, '{}') || jsonb_build_object('receipt_url', new.receipt_url);
              v_to := 'fulfilling';
            end if;
          elsif v_event = 'ERROR' then
            if new.attempts < 5 then
              -- workflows.jet line 23
              v_to := 'charging.ready';
              v_delay := jet.backoff(interval '100 ms', new.attempts, interval '2 s', new.id);
            else
              -- workflows.jet line 23
              v_raised := 'ABANDONED';
            end if;
          elsif v_event = 'RELEASED' then
            -- workflows.jet line 23
            new.attempts := new.attempts - 1;
            v_to := 'charging.ready';
          elsif v_event = 'SNOOZE' then
            if new._fence is not null and (new._payload ->> 'delay') is null then
              v_unfit := 'SNOOZE needs field ''delay'' (interval)';
              v_taken := false;
            else
              -- workflows.jet line 23
              new.attempts := new.attempts - 1;
              v_to := 'charging.ready';
              v_delay := (new._payload ->> 'delay')::interval;
            end if;
          elsif v_event = 'DECLINED' then
            -- workflows.jet line 27
            v_to := 'attention';
          elsif v_event = 'ABANDONED' then
            -- workflows.jet line 28
            v_to := 'refused';
          else
            v_taken := false;
          end if;
        elsif new.state = 'cart' then
          if v_event = 'PAID' then
            if (new._payload ->> 'amount')::numeric > 0 then
              -- workflows.jet line 18
              new.charged := (new._payload ->> 'amount')::numeric;
              v_changed := coalesce(v_changed, '{}') || jsonb_build_object('charged', new.charged);
              v_to := 'charging.ready';
            else
              v_taken := false;
            end if;
          elsif v_event = 'CANCEL' then
            -- workflows.jet line 19
            v_to := 'cancelled';
          elsif v_event = 'timer' then
            if v_timer = 1 then
              new._event := 'after 1d';
              -- workflows.jet line 20
              v_to := 'expired';
            else
              v_taken := false;
            end if;
          else
            v_taken := false;
          end if;
        elsif new.state = 'charging.ready' then
          if v_event = 'LOCKED_BY_WORKER' then
            -- workflows.jet line 23
            new.attempts := new.attempts + 1;
            v_to := 'charging.running';
          elsif v_event = 'DECLINED' then
            -- workflows.jet line 27
            v_to := 'attention';
          elsif v_event = 'ABANDONED' then
            -- workflows.jet line 28
            v_to := 'refused';
          else
            v_taken := false;
          end if;
        elsif new.state = 'attention' then
          if v_event = 'RESOLVED' then
            -- workflows.jet line 42
            v_to := 'charging.ready';
          elsif v_event = 'CANCEL' then
            -- workflows.jet line 43
            v_to := 'cancelled';
          else
            v_taken := false;
          end if;
        else
          v_taken := false;
        end if;
      else
        if new.state in ('charging.ready', 'charging.running') and (v_from is null or v_from not in ('charging.ready', 'charging.running')) then
          -- workflows.jet line 23
          new.attempts := 0;
        end if;
        if new.state = 'fulfilling' then
          -- workflows.jet line 33
          v_spawns := coalesce(v_spawns, '[]') || jsonb_build_object(
            'machine', 'shipment', 'root', false, 'task', jsonb_build_object('order_id', new.order_id));
          v_spawns := coalesce(v_spawns, '[]') || jsonb_build_object(
            'machine', 'send_receipt', 'root', false, 'task', jsonb_build_object('email', new.email, 'url', coalesce(new.receipt_url, '')));
          -- workflows.jet line 37
          v_to := 'done';
          exit clause;
        end if;
      end if;
    end clause;

    if v_raised is not null then
      v_event := v_raised;
      continue macrostep;
    end if;
    if v_event is null then
      exit macrostep when v_to is null;
    elsif not v_taken then
      -- A worker's outcome that no clause takes is a failure.
      if v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') or (new._fence is not null and v_event not in ('ERROR', 'stuck')) then
        new._payload := jsonb_build_object(
          'type', case when v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') then v_event when v_unfit is not null then 'payload' else 'unhandled' end,
          'message', case v_event when 'RELEASED' then 'the worker handed the task back' when 'TIMEOUT' then 'the handler ran out of time'
            when 'LEASE_EXPIRED' then 'the worker''s lease ran out'
            else coalesce(v_unfit, 'the handler answered ' || v_event || ', which state ' || new.state || ' does not take') end);
        -- A failed run leaves no trace.
        if v_changed is not null then
          new.charged := old.charged;
          new.receipt_url := old.receipt_url;
          v_changed := null;
        end if;
        v_event := 'ERROR';
        new._event := v_event;
        continue macrostep;
      end if;

      -- The engine's own notes are in lower case, as no event is.
      if v_event = 'stuck' then
        new._stuck := new._payload;
        new.run_at := null;
        new._worker := null;
        new._token := null;
      elsif v_event = 'unstuck' then
        new._stuck := null;
        new.run_at := case when new.state in ('charging.ready') then v_now end;
      end if;
      new._applied := false;
      v_hops := 1;
      exit macrostep;
    end if;

    -- One hop.
    if v_hops > 0 then
      v_trail := coalesce(v_trail, '[]') || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
      v_changed := null;
    elsif new._event is null then
      -- What creation set belongs to its own row of the history, which tells no changes.
      v_changed := null;
    end if;
    v_hops := v_hops + 1;
    if v_hops > 100 then
      raise exception using message = 'shop.checkout: in state ' || new.state || ' more than 100 transitions followed from one event',
        detail = 'machine shop.checkout, workflows.jet line 12', errcode = '54001';
    end if;
    v_hop_event := case when v_hops = 1 then new._event else v_event end;
    v_event := null;
    if v_to is null or (v_to = new.state) then
      if v_delay is not null and new._stuck is null then
        new.run_at := v_now + greatest(v_delay, interval '0 s');
      end if;
      exit macrostep;
    end if;
    v_from := new.state;
    if v_from = 'cart' then
      v_timer_1 := null;
    end if;
    if v_to = 'cart' then
      v_timer_1 := '-infinity';
    end if;
    new.state := v_to;
    new.entered_at := v_now;
    new.run_at := case when v_to in ('charging.ready') then v_now + greatest(v_delay, interval '0 s') when v_to in ('charging.running') then new.run_at end;
    new._stuck := null;
    v_delay := null;
  end loop;

  if v_trail is not null then
    new._hops := v_trail || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
  end if;
  new._changed := v_changed;
  new._spawns := v_spawns;
  new._seq := new._seq + v_hops;
  new._ended := new.state in ('done', 'cancelled', 'expired', 'refused');
  if new.state not in ('charging.running') then
    new._worker := null;
    new._token := null;
  elsif new._event = 'LOCKED_BY_WORKER' and new._applied then
    new._token := new._seq;
    new._was_event := case when old._applied then old._event end;
  end if;

  -- It rests: the timers of the states that it has entered are set. A stuck task's wait.
  -- workflows.jet line 20
  if v_timer_1 = '-infinity' and new.state in ('cart') then
    v_timer_1 := v_now + interval '24 h';
  end if;
  v_due := least(v_timer_1);
  new._timers := case when v_due is not null then array[v_timer_1] end;

  -- Never back to what has passed: see the mark in fire.
  new._timer_at := case when new._stuck is null then
    case when v_due < coalesce(old._timer_at, 'infinity') then greatest(v_due, v_now) else v_due end end;
  return new;
end
$jet$;
revoke all on function shop._checkout_step() from public;

-- Behind every UPDATE of shop.checkout: its history, and the tasks it spawned, in the same transaction.
-- Old and new rows are as many as the statement changed: joined by hash, whatever the caller has set. A spawn has no join
-- but a nested loop: the cost of one that is switched off would call for JIT compilation, 100 ms for a statement of one.
create or replace function shop._checkout_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_hashjoin = on set enable_nestloop = off
set jit = off as $jet$
begin
  insert into shop._checkout_hops (
    id, seq, at, event, payload, actor, from_state, to_state, entered_at, attempts, run_at,
    changed, hops, was, token, send_key, claimed_state, claimed_entered, claimed_actor)
  select n.id, n._seq, n._at, n._event, case when n._event <> 'LOCKED_BY_WORKER' then n._payload end, n._actor,
    o.state, case when n._applied then n.state end, o.entered_at, o.attempts, o.run_at,
    n._changed, n._hops, case when n._changed is not null or n._hops is not null then
      jsonb_build_object('charged', o.charged, 'receipt_url', o.receipt_url) end, n._fence, n._send_key,
    o._was_state, case when o._was_state is not null then o._was_entered end, case when o._was_state is not null then o._actor end
  from n join o on o.id = n.id
  -- A claim waits for the dispatch that follows it.
  where n._was_state is null;
  if exists (select from n where n._spawns is not null) then
    perform shop._send_receipt_insert((
      select jsonb_agg(s.value -> 'task' || jsonb_build_object('_at', n._at, '_by', n._actor) || case when not (s.value -> 'root')::boolean then
        jsonb_build_object('_parent', n.id, '_root', n.root, '_depth', n.depth + 1) else '{}' end order by n.id, s.ordinality)
      from n cross join lateral jsonb_array_elements(n._spawns) with ordinality s where s.value ->> 'machine' = 'send_receipt'));
    perform shop._shipment_insert((
      select jsonb_agg(s.value -> 'task' || jsonb_build_object('_at', n._at, '_by', n._actor) || case when not (s.value -> 'root')::boolean then
        jsonb_build_object('_parent', n.id, '_root', n.root, '_depth', n.depth + 1) else '{}' end order by n.id, s.ordinality)
      from n cross join lateral jsonb_array_elements(n._spawns) with ordinality s where s.value ->> 'machine' = 'shipment'));
  end if;
  if exists (select from n where n.run_at <= n._at and n._was_state is null and n.state in ('charging.ready')) then
    perform jet.wake('shop.checkout');
  end if;

  -- Its handler is still at work somewhere: tell that worker.
  if exists (select from n join o on o.id = n.id where o._worker is not null and n._worker is null and n._fence is null) then
    perform pg_notify('jet', 'shop.checkout lost');
  end if;
  if exists (select from n join o on o.id = n.id where n._timer_at < n._at + interval '10 s' and n._timer_at is distinct from o._timer_at) then
    perform jet.wake('shop.checkout');
  end if;
  return null;
end
$jet$;
revoke all on function shop._checkout_log() from public;

-- Behind every INSERT: what entering the initial state did.
create or replace function shop._checkout_born() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
begin
  insert into shop._checkout_hops (
    id, seq, at, event, payload, actor, from_state, to_state, entered_at, attempts, run_at, changed, hops, was)
  select n.id, n._seq, n._at, null, null, n._actor, 'cart', n.state, n.created_at, 0, null, n._changed, n._hops, null
  from n
  where n._seq > 1;
  if exists (select from n where n._spawns is not null) then
    perform shop._send_receipt_insert((
      select jsonb_agg(s.value -> 'task' || jsonb_build_object('_at', n._at, '_by', n._actor) || case when not (s.value -> 'root')::boolean then
        jsonb_build_object('_parent', n.id, '_root', n.root, '_depth', n.depth + 1) else '{}' end order by n.id, s.ordinality)
      from n cross join lateral jsonb_array_elements(n._spawns) with ordinality s where s.value ->> 'machine' = 'send_receipt'));
    perform shop._shipment_insert((
      select jsonb_agg(s.value -> 'task' || jsonb_build_object('_at', n._at, '_by', n._actor) || case when not (s.value -> 'root')::boolean then
        jsonb_build_object('_parent', n.id, '_root', n.root, '_depth', n.depth + 1) else '{}' end order by n.id, s.ordinality)
      from n cross join lateral jsonb_array_elements(n._spawns) with ordinality s where s.value ->> 'machine' = 'shipment'));
  end if;
  if exists (select from n where n.run_at <= n._at and n.state in ('charging.ready')) then
    perform jet.wake('shop.checkout');
  end if;
  if exists (select from n where n._timer_at < n._at + interval '10 s') then
    perform jet.wake('shop.checkout');
  end if;
  return null;
end
$jet$;
revoke all on function shop._checkout_born() from public;

create trigger refuse_update before update of
    id, state, attempts, depth, parent, root, created_at, entered_at, run_at, _priority, _seq, _ended, _applied,
    _token, _was_state, _was_entered, _was_event, _changed, _hops, _spawns, _stuck, _creator, _key, _timers,
    _timer_at, order_id, email, tier, charged, receipt_url
  on shop.checkout
  for each statement execute function jet.refuse_write();

create trigger refuse_insert before insert on shop.checkout
  for each row when (
    new.state <> 'cart' or new.attempts <> 0 or new._seq <> 1 or new._event is not null or new._worker is not null
    or new._hops is not null or new._spawns is not null or new._was_state is not null or new._stuck is not null
    or num_nonnulls(new._timers, new._timer_at) > 0)
  execute function jet.refuse_write();

create trigger step before update of _event on shop.checkout
  for each row execute function shop._checkout_step();

create trigger log after update on shop.checkout referencing new table as n old table as o
  for each statement execute function shop._checkout_log();

create trigger step_insert before insert on shop.checkout
  for each row execute function shop._checkout_step();

create trigger born after insert on shop.checkout referencing new table as n
  for each statement execute function shop._checkout_born();

-- Creates one task: the public shop.checkout_create and the spawns of other machines come through here.
create or replace function shop._checkout_add(
  order_id bigint, email text, tier shop.tier, _delay interval, _run_at timestamptz, _priority integer,
  _key text, _parent bigint, _root bigint, _depth integer, _at timestamptz, _by text) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_id bigint := nextval('jet.task_id');
  v_now timestamptz;
  v_at timestamptz;
  v_actor text := jet.actor();
  v_found bigint;
begin
  if _checkout_add.order_id is null then
    raise exception using message = 'shop.checkout needs order_id', errcode = '22023';
  end if;
  if _checkout_add.email is null then
    raise exception using message = 'shop.checkout needs email', errcode = '22023';
  end if;
  if _checkout_add._delay is not null or _checkout_add._run_at is not null then
    raise exception using message = 'shop.checkout starts in cart, where no worker takes it: no delay', errcode = '22023';
  end if;

  -- The same idempotency key: the first result again, and nothing is done.
  if _checkout_add._key is not null then
    select t.id into v_found from shop.checkout t where t._key = _checkout_add._key;
    if found then
      return v_found;
    end if;
  end if;

  -- A key that was answered with a task which was there already. Who answers it now holds it until the end.
  if _checkout_add._key is not null then
    insert into shop._checkout_keys (key, id) values (_checkout_add._key, v_id) on conflict do nothing;
    if not found then
      select k.id into v_found from shop._checkout_keys k join shop.checkout t on t.id = k.id where k.key = _checkout_add._key;
      if found then
        return v_found;
      end if;

      -- That task was removed.
      update shop._checkout_keys k set id = v_id where k.key = _checkout_add._key;
    end if;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  v_at := coalesce(_checkout_add._at, v_now);
  for v_try in 1 .. 100 loop
    insert into shop.checkout (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, order_id, email,
      tier, charged, receipt_url)
    values (
      v_id, coalesce(_checkout_add._root, v_id), _checkout_add._parent, coalesce(_checkout_add._depth, 0), v_at,
      v_at, v_at, coalesce(_checkout_add._priority, 0), _checkout_add._key, coalesce(_checkout_add._by, v_actor),
      coalesce(_checkout_add._by, v_actor), _checkout_add.order_id, _checkout_add.email,
      coalesce(_checkout_add.tier, 'free'), 0, null)
    on conflict do nothing;
    if found then

      return v_id;
    end if;

    -- The same key, of another session.
    select t.id into v_found from shop.checkout t where t._key = _checkout_add._key;
    if found then
      update shop._checkout_keys k set id = v_found where k.key = _checkout_add._key;
      return v_found;
    end if;
    select t.id into v_found from shop.checkout t where t.order_id = _checkout_add.order_id and not t._ended;
    if found then
      update shop._checkout_keys k set id = v_found where k.key = _checkout_add._key;
      return v_found;
    end if;

    -- The one in the way has ended meanwhile.
  end loop;
  raise exception using message = 'shop.checkout: the tasks in the way keep changing; try again', errcode = '40001';
end
$jet$;
revoke all on function shop._checkout_add(bigint, text, shop.tier, interval, timestamptz, integer, text, bigint, bigint, integer, timestamptz, text) from public;

-- Creates a task and returns its id (workflows.jet line 12). _delay or _run_at hold it back, a lower _priority goes
-- first, a _key makes the call repeatable.
create or replace function shop.checkout_create(
  order_id bigint, email text, tier shop.tier default 'free', _delay interval default null,
  _run_at timestamptz default null, _priority integer default null, _key text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
begin
  return shop._checkout_add(
    checkout_create.order_id, checkout_create.email, checkout_create.tier, checkout_create._delay,
    checkout_create._run_at, checkout_create._priority, checkout_create._key, null, null, 0, null, null);
end
$jet$;

-- Creates many tasks from an array of objects, in order. Members _parent, _root, _depth, and _at and _by, the
-- time and the actor of the dispatch, come from spawns only.
create or replace function shop._checkout_insert(_tasks jsonb) returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_actor text := jet.actor();
  v_keyed constant boolean := jsonb_path_exists(_tasks, '$[*]._key');
  v_spec constant jsonb := '[{"name": "order_id", "type": "bigint", "required": true}, {"name": "email", "type": "text", "required": true}, {"name": "tier", "type": "tier", "required": false, "values": ["free", "pro"]}]'::jsonb;
  v_misfit text;
  v_row record;
  v_ids bigint[];
  v_made bigint[];
begin
  if _tasks is null or _tasks = '[]'::jsonb then
    return;
  end if;
  if exists (select from jsonb_array_elements(_tasks) e where num_nonnulls(e.value ->> '_delay', e.value ->> '_run_at') > 0) then
    raise exception using message = 'shop.checkout starts in cart, where no worker takes it: no delay', errcode = '22023';
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  v_ids := array(select nextval('jet.task_id') from generate_series(1, jsonb_array_length(_tasks)));
  if v_keyed then
    -- Keys before all else, in their own order: those of two calls may run against what is unique.
    insert into shop._checkout_keys (key, id)
      select e.value ->> '_key', min(v_ids[e.ordinality]) from jsonb_array_elements(_tasks) with ordinality e
      where (e.value ->> '_key') is not null group by 1 order by (e.value ->> '_key') collate "C"
      on conflict do nothing;
  end if;

  -- In the order of what must be unique, so that two such calls never wait for each other crosswise.
  with i as (
    insert into shop.checkout (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, order_id, email,
      tier, charged, receipt_url)
    select
      v_ids[x._ordinal], coalesce(x._root, v_ids[x._ordinal]), x._parent, coalesce(x._depth, 0),
      coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key,
      coalesce(x._by, v_actor), coalesce(x._by, v_actor), x.order_id, x.email, coalesce(x.tier, 'free'), 0, null
    from rows from (jsonb_to_recordset(_tasks) as (
      order_id bigint, email text, tier shop.tier, _delay interval, _run_at timestamptz, _priority integer,
      _key text, _parent bigint, _root bigint, _depth integer, _at timestamptz, _by text
    )) with ordinality as x (
      order_id, email, tier, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
    where x._key is null
    order by x.order_id, x._key, x._ordinal
    on conflict do nothing
    returning id)
  select coalesce(array_agg(i.id), '{}') into v_made from i;
  if cardinality(v_made) < cardinality(v_ids) then
    -- The same idempotency key: the first result again, and nothing is computed.
    select array_agg(coalesce(t.id, v_ids[e.ordinality]) order by e.ordinality), v_made || array_agg(t.id) filter (where t.id is not null)
      into v_ids, v_made
      from jsonb_array_elements(_tasks) with ordinality e left join shop.checkout t on t._key = e.value ->> '_key';
    for v_row in
      select x.* from
        rows from (jsonb_to_recordset(_tasks) as (
          order_id bigint, email text, tier shop.tier, _delay interval, _run_at timestamptz, _priority integer,
          _key text, _parent bigint, _root bigint, _depth integer, _at timestamptz, _by text
        )) with ordinality as x (
          order_id, email, tier, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
      where v_ids[x._ordinal] not in (select unnest(v_made)) order by x.order_id, x._key, x._ordinal
    loop
      v_ids[v_row._ordinal] := shop._checkout_add(
        v_row.order_id, v_row.email, coalesce(v_row.tier, 'free'), v_row._delay, v_row._run_at, v_row._priority,
        v_row._key, v_row._parent, v_row._root, v_row._depth, v_row._at, v_row._by);
    end loop;
  end if;

  return query select unnest(v_ids);
exception when data_exception or not_null_violation or check_violation or raise_exception then
  -- Say which field of which task it was.
  select 'task ' || e.n || ' of ' || 'shop.checkout' || ': ' || m.misfit into v_misfit
    from jsonb_array_elements(_tasks) with ordinality as e (value, n),
      lateral jet.misfit('it', e.value - array['_delay', '_run_at', '_priority', '_key', '_parent', '_root', '_depth', '_at', '_by']::text[], v_spec) as m (misfit)
    where m.misfit is not null order by e.n limit 1;
  if v_misfit is null then
    raise;
  end if;
  raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'order_id: bigint, email: text, tier: tier';
end
$jet$;
revoke all on function shop._checkout_insert(jsonb) from public;

-- Creates many tasks at once, as fast as COPY. _tasks: [{params by name, and _delay, _run_at, _priority, _key}]; ids come back in that order.
create or replace function shop.checkout_create_many(_tasks jsonb) returns setof bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
declare
  v_known constant text[] := array['order_id', 'email', 'tier', '_delay', '_run_at', '_priority', '_key']::text[];
  v_spec constant jsonb := '[{"name": "order_id", "type": "bigint", "required": true}, {"name": "email", "type": "text", "required": true}, {"name": "tier", "type": "tier", "required": false, "values": ["free", "pro"]}]'::jsonb;
  v_misfit text;
begin
  if _tasks is not null and jsonb_typeof(_tasks) <> 'array' then
    raise exception using errcode = '22023',
      message = 'shop.checkout' || ' create_many takes an array of objects, not ' || jsonb_typeof(_tasks);
  end if;

  -- Postgres reads moments and texts out of what is none, so the kinds of such values are looked at here.
  if exists (select from jsonb_array_elements(_tasks) e where jsonb_typeof(e) <> 'object' or (e - v_known) <> '{}'::jsonb
    or jsonb_typeof(e -> 'email') not in ('string', 'null')) then
    select 'task ' || e.n || ' of ' || 'shop.checkout' || ': ' || m.misfit into v_misfit
      from jsonb_array_elements(_tasks) with ordinality as e (value, n),
        lateral jet.misfit('it', case jsonb_typeof(e.value) when 'object' then e.value - array['_delay', '_run_at', '_priority', '_key']::text[] else e.value end, v_spec) as m (misfit)
      where m.misfit is not null order by e.n limit 1;
    raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'order_id: bigint, email: text, tier: tier';
  end if;
  return query select shop._checkout_insert(_tasks);
end
$jet$;

-- Sends one event to one task, and runs it to completion in this transaction.
create or replace function shop.checkout_send(_id bigint, _event text, _payload jsonb default '{}', _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_fields jsonb := nullif(nullif(checkout_send._payload, 'null'), '{}');
  v_misfit text;
  v_sent jet.sent;
begin
  case checkout_send._event
    when 'PAID' then v_misfit := jet.misfit('PAID', coalesce(v_fields, '{}'), '[{"name": "amount", "type": "numeric", "required": true}, {"name": "method", "type": "text", "required": true}]'::jsonb);
    when 'CANCEL' then v_misfit := jet.misfit('CANCEL', coalesce(v_fields, '{}'), '[]'::jsonb);
    when 'DECLINED' then v_misfit := jet.misfit('DECLINED', coalesce(v_fields, '{}'), '[]'::jsonb);
    when 'SNOOZE' then v_misfit := jet.misfit('SNOOZE', coalesce(v_fields, '{}'), '[{"name": "delay", "type": "interval", "required": true}]'::jsonb);
    when 'RESOLVED' then v_misfit := jet.misfit('RESOLVED', coalesce(v_fields, '{}'), '[]'::jsonb);
    else
      raise exception using message = 'shop.checkout' || ' does not take event ' || coalesce(checkout_send._event, 'null'), hint = 'it takes PAID, CANCEL, DECLINED, SNOOZE, RESOLVED', errcode = '22023';
  end case;
  if v_misfit is not null then
    raise exception using message = v_misfit, errcode = '22023', hint = 'its fields are: ' || case checkout_send._event when 'PAID' then 'amount: numeric, method: text' when 'CANCEL' then 'none' when 'DECLINED' then 'none' when 'SNOOZE' then 'delay: interval' when 'RESOLVED' then 'none' end;
  end if;

  perform from shop.checkout t where t.id = checkout_send._id for no key update;
  if not found then
    raise exception using message = 'shop.checkout' || ' has no task ' || coalesce(checkout_send._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.checkout', errcode = 'P0002';
  end if;
  if checkout_send._key is not null then
    select h.to_state is not null, coalesce(h.to_state, h.from_state),
        case when h.to_state is null then 'state ' || h.from_state || ' does not take ' || h.event end
      into v_sent from shop._checkout_hops h where h.id = checkout_send._id and h.send_key = checkout_send._key;
    if found then
      return v_sent;
    end if;
  end if;

  update shop.checkout t set _event = checkout_send._event, _payload = v_fields, _at = jet.now(), _actor = jet.actor(),
      _send_key = checkout_send._key, _fence = null
    where t.id = checkout_send._id
    returning t._applied, t.state, case when not t._applied then 'state ' || t.state || ' does not take ' || checkout_send._event end into v_sent;
  return v_sent;
end
$jet$;

-- PAID, with typed fields.
create or replace function shop.checkout_send_paid(
  _id bigint, amount numeric, method text, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.checkout_send(checkout_send_paid._id, 'PAID', jsonb_build_object('amount', checkout_send_paid.amount, 'method', checkout_send_paid.method), checkout_send_paid._key);
end
$jet$;
comment on function shop.checkout_send_paid(bigint, numeric, text, text) is 'The customer has paid. Declared once: name, payload, types.';

-- CANCEL, with typed fields.
create or replace function shop.checkout_send_cancel(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.checkout_send(checkout_send_cancel._id, 'CANCEL', jsonb_build_object(), checkout_send_cancel._key);
end
$jet$;

-- DECLINED, with typed fields.
create or replace function shop.checkout_send_declined(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.checkout_send(checkout_send_declined._id, 'DECLINED', jsonb_build_object(), checkout_send_declined._key);
end
$jet$;

-- SNOOZE, with typed fields.
create or replace function shop.checkout_send_snooze(
  _id bigint, delay interval, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.checkout_send(checkout_send_snooze._id, 'SNOOZE', jsonb_build_object('delay', checkout_send_snooze.delay), checkout_send_snooze._key);
end
$jet$;

-- RESOLVED, with typed fields.
create or replace function shop.checkout_send_resolved(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.checkout_send(checkout_send_resolved._id, 'RESOLVED', jsonb_build_object(), checkout_send_resolved._key);
end
$jet$;

-- A dispatch that failed twice. ERROR(type: "transition") once, where the state takes it; else the task is stuck: it holds
-- no lease, leaves the claim index and keeps its event until shop.checkout_retry. _with: the token, where the worker itself came with it.
create or replace function shop._checkout_trouble(_task bigint, _failed text, _fields jsonb, _vars jsonb, _error text, _name text, _with bigint) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_error text := _error;
  v_applied boolean;
begin
  if _failed <> 'ERROR' then
    begin
      update shop.checkout t set _event = 'ERROR', _payload = jsonb_build_object('type', 'transition', 'message', _error, 'event', _failed),
          _set = null, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task and t.state in ('charging.running') returning t._applied into v_applied;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
  end if;
  if v_applied then
    return 'failed';
  end if;
  update shop.checkout t set _event = 'stuck', _at = jet.now(), _actor = _name, _set = null, _send_key = null, _fence = _with,
      _payload = jsonb_build_object('at', jet.now(), 'event', _failed, 'payload', _fields, 'set', _vars, 'token', _with,
        'error', v_error, 'state', t.state)
    where t.id = _task;
  return 'stuck';
end
$jet$;
revoke all on function shop._checkout_trouble(bigint, text, jsonb, jsonb, text, text, bigint) from public;

-- One outcome of a batch that could not be applied as a whole.
create or replace function shop._checkout_settle(_by bigint, _name text, _task bigint, _with bigint, _outcome text, _fields jsonb, _vars jsonb) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_worker bigint;
  v_token bigint;
  v_fence bigint;
  v_event text;
  v_applied boolean;
  v_error text;
begin
  select t._worker, t._token, t._fence into v_worker, v_token, v_fence from shop.checkout t where t.id = _task for no key update;
  if not found then
    return 'missing';
  end if;
  if v_worker = _by and v_token = _with then
    begin
      update shop.checkout t set _event = _outcome, _payload = _fields, _set = _vars, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task returning t._event, t._applied into v_event, v_applied;
      return case when not v_applied then 'ignored' when v_event <> _outcome and _outcome not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
    return shop._checkout_trouble(_task, _outcome, _fields, _vars, v_error, _name, _with);
  end if;
  if v_fence = _with or exists (select from shop._checkout_hops h where h.id = _task and h.token = _with) then
    return 'duplicate';
  end if;
  update shop.checkout t set _event = 'late', _payload = jsonb_build_object('event', _outcome, 'token', _with, 'payload', _fields),
      _set = null, _fence = null, _at = jet.now(), _actor = _name, _send_key = null
    where t.id = _task;
  return 'lost';
end
$jet$;
revoke all on function shop._checkout_settle(bigint, text, bigint, bigint, text, jsonb, jsonb) from public;

-- Ends the work of a batch: [{"id", "token", "event", "payload", "set"}], each task once. The token is the fence: a worker
-- whose lease was lost cannot finish the task, and its late result goes into the history.
create or replace function shop.checkout_resolve(_worker bigint, _outcomes jsonb)
returns table (id bigint, result text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_ids bigint[];
  v_done bigint[];
  v_results text[];
  v_outcome record;
begin
  perform jet.need_read_committed();
  select w.name into v_actor from jet.worker w where w.id = checkout_resolve._worker;
  v_actor := coalesce(v_actor, 'worker ' || checkout_resolve._worker);
  perform pg_current_xact_id();  -- before the clock: see the mark of claim
  v_now := jet.now();
  v_ids := array(select r.id from jsonb_to_recordset(_outcomes) as r (id bigint));
  begin
    -- In the order of ids, so that two such calls never wait for each other crosswise. With the ids as an array the
    -- rows are reached by key whatever the join, also by a plan that was made while the table was empty.
    with u as (
      update shop.checkout t set _event = o.event, _payload = nullif(o.payload, 'null'), _set = nullif(o.set, 'null'), _fence = o.token, _at = v_now, _actor = v_actor, _send_key = null
      from (select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) order by r.id) o
      where t.id = any(v_ids) and t.id = o.id and t._token = o.token and t._worker = checkout_resolve._worker
      returning t.id, case when not t._applied then 'ignored'
        when t._event <> o.event and o.event not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end as result)
    select coalesce(array_agg(u.id), '{}'), array_agg(u.result) into v_done, v_results from u;
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;

    -- One of them cannot make the step: each alone.
    v_done := '{}';
  end;
  return query select * from unnest(v_done, v_results);
  if cardinality(v_done) = jsonb_array_length(_outcomes) then
    return;
  end if;
  for v_outcome in select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) where r.id <> all(v_done) order by r.id loop
    id := v_outcome.id;
    result := shop._checkout_settle(checkout_resolve._worker, v_actor, v_outcome.id, v_outcome.token, v_outcome.event, nullif(v_outcome.payload, 'null'), nullif(v_outcome.set, 'null'));
    return next;
  end loop;
end
$jet$;

-- Claims up to _limit tasks for a worker, by priority, then run_at, then id. The last row has no id: its mark goes into
-- the worker's next claim, which then does not walk the index entries that lie behind. What makes a mark safe:
--   low   nothing claimable lies before it;
--   high  where a former claim came to. low moves up to it once every transaction that was in flight when high was read
--         has ended (all up to that claim's own id), and a look back finds nothing that another session keeps locked.
-- run_at is never set in the past, and every writer has a transaction id before it reads the clock.
create or replace function shop.checkout_claim(_worker bigint, _limit integer, _mark jsonb default null)
returns table (id bigint, token bigint, attempt integer, state text, handler text, data json, mark jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_left integer := _limit;
  v_marks jsonb := '{}'::jsonb;
  v_priority integer;
  v_after integer;
  v_known integer;
  v_mark jsonb;
  v_low_at timestamptz;
  v_low_id bigint;
  v_high_at timestamptz;
  v_high_id bigint;
  v_end_at timestamptz;
  v_end_id bigint;
  v_mark_at timestamptz;
  v_settled boolean;
  v_ids bigint[];
  v_next timestamptz;
  v_due timestamptz;
begin
  perform jet.need_read_committed();
  v_actor := jet.worker_name(_worker);
  v_now := jet.now();
  if exists (select from jet.paused p where p.machine = 'shop.checkout') then
    return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json, '{}'::jsonb;
    return;
  end if;

  -- A mark from the future: the clock was set back.
  if (_mark ->> 'at')::timestamptz <= v_now then
    v_marks := coalesce(_mark -> 'p', '{}');
  end if;

  while v_left > 0 loop
    -- The next priority: one that the mark knows, or a new one before it.
    select min(k::integer) into v_known from jsonb_object_keys(v_marks) k where v_after is null or k::integer > v_after;
    v_priority := null;
    select t._priority into v_priority from shop.checkout t
      where t.run_at is not null and t._priority > coalesce(v_after::bigint, -2147483649)
        and t._priority < coalesce(v_known::bigint, 2147483648)
      order by t._priority, t.run_at, t.id limit 1;
    v_priority := coalesce(v_priority, v_known);
    exit when v_priority is null;
    v_after := v_priority;

    v_mark := v_marks -> (v_priority::text);
    v_low_at := coalesce((v_mark ->> 0)::timestamptz, '-infinity');
    v_low_id := coalesce((v_mark ->> 1)::bigint, 0);
    v_high_at := (v_mark ->> 2)::timestamptz;
    v_high_id := (v_mark ->> 3)::bigint;
    v_mark_at := v_high_at;
    v_settled := pg_snapshot_xmin(pg_current_snapshot()) > (v_mark ->> 4)::xid8;

    v_ids := null;
    select array_agg(c.id), max(c.run_at) into v_ids, v_end_at from (
      select t.id, t.run_at from shop.checkout t
      where t.run_at is not null and t._priority = v_priority and t.run_at <= v_now and (t.run_at, t.id) > (v_low_at, v_low_id)
        and t.state in ('charging.ready')
      order by t.run_at, t.id limit v_left for no key update skip locked) c;
    if v_ids is null then
      v_end_at := v_now;
      v_end_id := 9223372036854775807;
    else
      return query
        update shop.checkout t set _event = 'LOCKED_BY_WORKER', _at = v_now, _actor = v_actor, _worker = checkout_claim._worker, _fence = null, _send_key = null, _set = null
        where t.id = any(v_ids)
        returning t.id, t._token, t.attempts, t.state, U&'shop.payments!003Acharge' uescape '!', json_build_object('params', json_build_object('order_id', t.order_id, 'email', t.email, 'tier', t.tier), 'vars', json_build_object('charged', t.charged, 'receipt_url', t.receipt_url), 'event', case when t._was_event is not null then json_build_object('name', t._was_event, 'payload', t._payload) end, 'timeout', extract(epoch from interval '30 s')), null::jsonb;
      if cardinality(v_ids) < v_left then
        v_end_at := v_now;
        v_end_id := 9223372036854775807;
      else
        v_end_id := v_ids[cardinality(v_ids)];
      end if;
      v_left := v_left - cardinality(v_ids);
    end if;

    if v_settled then
      -- Up to high, or to where this claim came, if that is less; but before what is still claimable there.
      if (v_high_at, v_high_id) > (v_end_at, v_end_id) then
        v_high_at := v_end_at;
        v_high_id := v_end_id;
      end if;
      v_due := null;
      select t.run_at, t.id - 1 into v_due, v_low_id from shop.checkout t
        where t.run_at is not null and t._priority = v_priority and (t.run_at, t.id) > (v_low_at, v_low_id)
          and (t.run_at, t.id) <= (v_high_at, v_high_id) and t.state in ('charging.ready')
        order by t.run_at, t.id limit 1;
      v_low_at := coalesce(v_due, v_high_at);
      v_low_id := case when v_due is null then v_high_id else v_low_id end;
    end if;

    -- A snapshot's xmax is no bound of what is in flight: ids given out and not ended lie above it. Our own id is one,
    -- taken after the clock was read; a look that found nothing spends one a second at most.
    if v_mark is null or v_settled and (v_ids is not null or v_mark_at < v_now - interval '1 s') then
      v_marks := jsonb_set(v_marks, array[v_priority::text], jsonb_build_array(
        v_low_at, v_low_id, v_end_at, v_end_id, pg_current_xact_id()::text));
    end if;

    if v_left > 0 then
      select t.run_at into v_due from shop.checkout t
        where t.run_at is not null and t._priority = v_priority and t.run_at > v_now order by t.run_at, t.id limit 1;
      v_next := least(v_next, v_due);
    end if;
  end loop;

  return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json,
    jsonb_build_object('at', v_now, 'p', v_marks, 'next', case when v_left > 0 then extract(epoch from v_next - v_now) end);
end
$jet$;

-- Which of these tasks a worker no longer holds: it stops their handlers.
create or replace function shop.checkout_lost(_worker bigint, _ids bigint[], _tokens bigint[]) returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $jet$
  select h.id from unnest(_ids, _tokens) as h (id, token)
  where not exists (select from shop.checkout t where t.id = h.id and t._worker = checkout_lost._worker and t._token = h.token)
$jet$;

-- Ends the leases of dead workers (LEASE_EXPIRED), and runs past their timeout (TIMEOUT).
create or replace function shop._checkout_expire(_dead bigint[], _late boolean, _max integer) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_id bigint;
  v_ids bigint[];
  v_event text;
  v_error text;
begin
  v_now := jet.now();
  v_ids := array(
    select t.id from shop.checkout t
    where t.run_at is not null and t.run_at <= v_now and t.state in ('charging.running')
      and (t._worker = any(_dead) or (_late and t.entered_at + interval '30 s' + interval '5 s' < v_now))
    order by t._priority, t.run_at, t.id limit _max for no key update skip locked);
  if v_ids = '{}' then
    return 0;
  end if;
  begin
    update shop.checkout t set _event = case when t.entered_at + interval '30 s' <= v_now then 'TIMEOUT' else 'LEASE_EXPIRED' end, _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
      where t.id = any(v_ids);
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;
    foreach v_id in array v_ids loop
      begin
        update shop.checkout t set _event = case when t.entered_at + interval '30 s' <= v_now then 'TIMEOUT' else 'LEASE_EXPIRED' end, _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
          where t.id = v_id;
      exception when others then
        if jet.is_servers_trouble(sqlstate) then
          raise;
        end if;
        get stacked diagnostics v_error = message_text;
        select case when t.entered_at + interval '30 s' <= v_now then 'TIMEOUT' else 'LEASE_EXPIRED' end into v_event from shop.checkout t where t.id = v_id;
        perform shop._checkout_trouble(v_id, v_event, null, null, v_error, 'jet.tick', null);
      end;
    end loop;
  end;
  return cardinality(v_ids);
end
$jet$;
revoke all on function shop._checkout_expire(bigint[], boolean, integer) from public;

-- Frees a stuck task and dispatches again what it was stuck on.
create or replace function shop.checkout_retry(_id bigint) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_stuck jsonb;
  v_sent jet.sent;
begin
  select t._stuck, t.state into v_stuck, v_sent.state from shop.checkout t where t.id = checkout_retry._id for no key update;
  if not found then
    raise exception using message = 'shop.checkout' || ' has no task ' || coalesce(checkout_retry._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.checkout', errcode = 'P0002';
  end if;
  if v_stuck is null then
    v_sent.applied := false;
    v_sent.reason := 'it is not stuck';
    return v_sent;
  end if;
  update shop.checkout t set _event = 'unstuck', _payload = null, _set = null, _fence = null, _send_key = null, _at = jet.now(), _actor = jet.actor()
    where t.id = checkout_retry._id;
  if v_stuck ->> 'event' <> 'LOCKED_BY_WORKER' then
    -- With the fence of then, a worker's outcome that no clause takes is a failure still.
    update shop.checkout t set _event = v_stuck ->> 'event', _payload = nullif(v_stuck -> 'payload', 'null'), _set = nullif(v_stuck -> 'set', 'null'),
        _fence = (v_stuck ->> 'token')::bigint, _at = jet.now()
      where t.id = checkout_retry._id;
  end if;
  select true, t.state, null into v_sent from shop.checkout t where t.id = checkout_retry._id;
  return v_sent;
end
$jet$;

-- Fires timers that are due, the earliest first, one a task and up to _max tasks. The answer goes into the next call, which
-- then does not walk the index entries that lie behind: its mark is kept as that of a claim is, and for the same reasons, as
-- no timer is set to a moment in the past. fired: how many; next: seconds until there may be something again.
create or replace function shop.checkout_fire(_max integer default 100, _mark jsonb default null) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_at timestamptz;
  v_mark jsonb;
  v_low_at timestamptz;
  v_low_id bigint;
  v_high_at timestamptz;
  v_high_id bigint;
  v_mark_at timestamptz;
  v_end_at timestamptz;
  v_end_id bigint;
  v_settled boolean;
  v_ids bigint[];
  v_id bigint;
  v_due timestamptz;
  v_error text;
begin
  perform jet.need_read_committed();
  v_now := jet.now();
  -- A mark from the future: the clock was set back.
  if (_mark ->> 'at')::timestamptz <= v_now then
    v_mark := _mark -> 'timers';
  end if;
  v_low_at := coalesce((v_mark ->> 0)::timestamptz, '-infinity');
  v_low_id := coalesce((v_mark ->> 1)::bigint, 0);
  v_high_at := (v_mark ->> 2)::timestamptz;
  v_high_id := (v_mark ->> 3)::bigint;
  v_mark_at := v_high_at;
  v_settled := pg_snapshot_xmin(pg_current_snapshot()) > (v_mark ->> 4)::xid8;

  select array_agg(c.id), max(c._timer_at) into v_ids, v_end_at from (
    select t.id, t._timer_at from shop.checkout t
    where t._timer_at is not null and t._timer_at <= v_now and (t._timer_at, t.id) > (v_low_at, v_low_id)
    order by t._timer_at, t.id limit _max for no key update skip locked) c;
  if v_ids is not null then
    -- The locks gave it a transaction id, before which no timer that this sets may come.
    v_at := jet.now();
    begin
      update shop.checkout t set _event = 'timer', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_at, _actor = 'jet.tick'
        where t.id = any(v_ids);
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;

      -- One of them cannot make the step: each alone.
      for v_id in select u.id from unnest(v_ids) u (id) order by u.id loop
        begin
          update shop.checkout t set _event = 'timer', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_at, _actor = 'jet.tick'
            where t.id = v_id;
        exception when others then
          if jet.is_servers_trouble(sqlstate) then
            raise;
          end if;
          get stacked diagnostics v_error = message_text;
          select t._timer_at into v_due from shop.checkout t where t.id = v_id;
          perform shop._checkout_trouble(v_id, 'timer', null, null, v_error, 'jet.tick', null);
          -- Where ERROR did not leave the state, that timer has fired all the same.
          update shop.checkout t set _event = 'spent', _payload = null, _set = null, _fence = null, _send_key = null, _at = jet.now(), _actor = 'jet.tick'
            where t.id = v_id and t._timer_at = v_due;
        end;
      end loop;
    end;
  end if;
  if v_ids is null or cardinality(v_ids) < _max then
    v_end_at := v_now;
    v_end_id := 9223372036854775807;
  else
    v_end_id := v_ids[cardinality(v_ids)];
  end if;

  if v_settled then
    if (v_high_at, v_high_id) > (v_end_at, v_end_id) then
      v_high_at := v_end_at;
      v_high_id := v_end_id;
    end if;
    v_due := null;
    select t._timer_at, t.id - 1 into v_due, v_low_id from shop.checkout t
      where t._timer_at is not null and (t._timer_at, t.id) > (v_low_at, v_low_id) and (t._timer_at, t.id) <= (v_high_at, v_high_id)
      order by t._timer_at, t.id limit 1;
    v_low_at := coalesce(v_due, v_high_at);
    v_low_id := case when v_due is null then v_high_id else v_low_id end;
  end if;
  if v_mark is null or v_settled and (v_ids is not null or v_mark_at < v_now - interval '1 s') then
    v_mark := jsonb_build_array(v_low_at, v_low_id, v_end_at, v_end_id, pg_current_xact_id()::text);
  end if;

  -- What is locked is due still. Nobody looks far ahead: behind there may be many that were put out.
  v_due := v_now;
  if v_ids is null then
    select t._timer_at into v_due from shop.checkout t
      where t._timer_at is not null and (t._timer_at, t.id) > (v_low_at, v_low_id) and t._timer_at <= v_now + interval '10 s'
      order by t._timer_at, t.id limit 1;
    v_due := greatest(coalesce(v_due, v_now + interval '10 s'), v_now + interval '100 ms');
  end if;
  return jsonb_build_object('at', v_now, 'timers', v_mark, 'fired', coalesce(cardinality(v_ids), 0),
    'next', extract(epoch from v_due - v_now));
end
$jet$;

-- The history as a reader wants it: one row a hop. event and from_state are null for the creation; to_state is null for
-- an event that the state did not take.
create or replace view shop.checkout_history (id, seq, at, event, payload, from_state, to_state, changed, actor) as
  select t.id, 1, t.created_at, null::text, null::jsonb, null::text,
    coalesce((select coalesce(h.claimed_state, h.from_state) from shop._checkout_hops h where h.id = t.id order by h.seq limit 1), t._was_state, t.state),
    null::jsonb, t._creator
  from shop.checkout t
  union all
  -- The claim that the next dispatch was written with.
  select h.id, h.seq - coalesce(jsonb_array_length(h.hops), 1), h.entered_at, 'LOCKED_BY_WORKER', null, h.claimed_state, h.from_state,
    null, h.claimed_actor
  from shop._checkout_hops h where h.claimed_state is not null
  union all
  select h.id, h.seq, h.at, h.event, h.payload, h.from_state, h.to_state, h.changed, h.actor
  from shop._checkout_hops h where h.hops is null
  union all
  select h.id, (h.seq - jsonb_array_length(h.hops) + hop.n)::integer, h.at, hop.value ->> 'event', case hop.n when 1 then h.payload end,
    case hop.n when 1 then h.from_state else h.hops -> (hop.n::integer - 2) ->> 'to' end, hop.value ->> 'to',
    nullif(hop.value -> 'changed', 'null'::jsonb), h.actor
  from shop._checkout_hops h cross join lateral jsonb_array_elements(h.hops) with ordinality as hop (value, n)
  where h.hops is not null
  union all
  -- A claim that nothing has followed yet.
  select t.id, t._seq, t.entered_at, 'LOCKED_BY_WORKER', null, t._was_state, t.state, null, t._actor
  from shop.checkout t where t._was_state is not null;

-- shop.checkout as it stood at a moment: every task at rest after its last dispatch up to then.
create or replace function shop.checkout_at(_at timestamptz)
returns table (id bigint, state text, attempts integer, depth integer, parent bigint, root bigint, created_at timestamptz, entered_at timestamptz, run_at timestamptz, order_id bigint, email text, tier shop.tier, charged numeric, receipt_url text)
language sql stable set search_path = pg_catalog, pg_temp as $jet$
  select t.id,
    case when t._at <= $1 then t.state when h.id is null then t._was_state when h.claimed_state is null or h.entered_at <= $1 then h.from_state else h.claimed_state end,
    case when t._at <= $1 then t.attempts when h.id is null then t.attempts - case when t._was_state in ('charging.ready') then 1 else 0 end
      when h.claimed_state is null or h.entered_at <= $1 then h.attempts else h.attempts - case when h.claimed_state in ('charging.ready') then 1 else 0 end end,
    t.depth, t.parent, t.root, t.created_at,
    case when t._at <= $1 then t.entered_at when h.id is null then t._was_entered when h.claimed_state is null or h.entered_at <= $1 then h.entered_at else h.claimed_entered end,
    case when t._at <= $1 or h.id is null then t.run_at else h.run_at end,
    t.order_id,
    t.email,
    t.tier,
    case when w.was is null then t.charged else (w.was ->> 'charged')::numeric end,
    case when w.was is null then t.receipt_url else (w.was ->> 'receipt_url') end

  from shop.checkout t
  -- The first dispatch after that moment tells how the task stood before it,
  left join lateral (
    select h.* from shop._checkout_hops h where t._at > $1 and h.id = t.id and h.at > $1 order by h.seq limit 1) h on true
  -- and the first one that changed vars, what they were.
  left join lateral (
    select h.was from shop._checkout_hops h where t._at > $1 and h.id = t.id and h.at > $1 and h.was is not null order by h.seq limit 1) w on true
  where t.created_at <= $1

$jet$;

comment on table shop.checkout is 'One order, from the cart to the parcel.';

comment on column shop.checkout.state is 'attention: Somebody has to look: the card was declined.';

insert into jet.machine (module, name, hash, manifest)
values ('shop', 'checkout', '22523a1b67ab4674abedf70c3010cd91034c6e77b8ef92c754e4df99d8fefd4b',
  U&'{"timers": true, "params": [{"name": "order_id", "type": "bigint", "optional": false}, {"name": "email", "type": "text", "optional": false}, {"name": "tier", "type": "enum!003Atier", "optional": false, "default": true}], "vars": [{"name": "charged", "type": "numeric", "optional": false, "default": true}, {"name": "receipt_url", "type": "text", "optional": true, "default": true}], "enums": {"tier": ["free", "pro"]}, "events": {"PAID": [{"name": "amount", "type": "numeric", "optional": false}, {"name": "method", "type": "text", "optional": false}], "CANCEL": [], "DECLINED": [], "SNOOZE": [{"name": "delay", "type": "interval", "optional": false}], "RESOLVED": []}, "initial": "cart", "states": ["cart", "charging.ready", "charging.running", "fulfilling", "attention", "done", "cancelled", "expired", "refused"], "final": ["done", "cancelled", "expired"], "failure": ["refused"], "claimable": {"charging.ready": "charging.running"}, "work": {"charging.running": {"name": "charging", "run": "shop.payments!003Acharge", "timeout": true, "outcomes": {"SUCCESS": [{"name": "receipt_url", "type": "text", "optional": false}], "ERROR": [{"name": "type", "type": "text", "optional": false}, {"name": "message", "type": "text", "optional": false}, {"name": "traceback", "type": "text", "optional": false}], "RELEASED": [], "SNOOZE": [{"name": "delay", "type": "interval", "optional": false}], "DECLINED": [], "ABANDONED": []}}}}' uescape '!'::jsonb)
on conflict (module, name) do update set hash = excluded.hash, manifest = excluded.manifest;

-- One row a task of machine shop.shipment (workflows.jet line 52). Columns that begin with _ are the engine's.
create table shop.shipment (
  id bigint not null,
  state text collate "C" not null default 'ready',
  attempts integer not null default 0,
  depth integer not null default 0,
  parent bigint,
  root bigint not null,
  created_at timestamptz not null,
  entered_at timestamptz not null,
  run_at timestamptz,
  order_id bigint not null,
  parcel text,
  _priority integer not null default 0,
  _at timestamptz not null,
  _seq integer not null default 1,
  _ended boolean not null default false,
  _applied boolean not null default true,
  _event text collate "C",
  _payload jsonb,
  _set jsonb,
  _actor text not null,
  _send_key text collate "C",
  _worker bigint,
  _token bigint,
  _fence bigint,
  _was_state text collate "C",
  _was_entered timestamptz,
  _was_event text collate "C",
  _changed jsonb,
  _hops jsonb,
  _spawns jsonb,
  _stuck jsonb,
  _creator text not null,
  _key text collate "C",
  constraint shipment_state_check check (state in ('ready', 'running', 'failed', 'done', 'abandoned')),
  constraint shipment_pkey primary key (id)
) with (fillfactor = 45);

create index shipment_claim on shop.shipment (_priority, run_at, id) where run_at is not null;

create unique index shipment_key on shop.shipment (_key) where _key is not null;

create index shipment_stuck on shop.shipment (id) where _stuck is not null;

-- What happened to the tasks of shop.shipment, one row a dispatch, append-only; shop.shipment_history unfolds it to one row a hop.
-- from_state, entered_at, attempts, run_at and was (its vars, where they changed) tell how the task stood before, which is
-- what shop.shipment_at reads. A claim is written with the dispatch that follows it: claimed_*.
create table shop._shipment_hops (
  id bigint not null,
  seq integer not null,
  at timestamptz not null,
  event text collate "C",
  payload jsonb,
  actor text not null,
  from_state text collate "C" not null,
  to_state text collate "C",
  entered_at timestamptz not null,
  attempts integer not null,
  run_at timestamptz,
  changed jsonb,
  hops jsonb,
  was jsonb,
  token bigint,
  send_key text collate "C",
  claimed_state text collate "C",
  claimed_entered timestamptz,
  claimed_actor text
);

create index _shipment_hops_id on shop._shipment_hops (id, seq);

create unique index _shipment_hops_key on shop._shipment_hops (id, send_key) where send_key is not null;

-- The machine itself. An UPDATE that sets _event sends one event to a task; this trigger runs it to completion: the clause,
-- its effects, exits, the new state, enters, and on until the task rests. What it leaves in _changed, _hops and _spawns
-- the statement trigger behind it writes to the history and turns into tasks.
create or replace function shop._shipment_step() returns trigger
language plpgsql as $jet$
declare
  v_now timestamptz := new._at;
  v_event text := new._event;
  v_to text;
  v_raised text;
  v_unfit text;
  v_hop_event text;
  v_taken boolean := false;
  v_delay interval;
  v_changed jsonb;
  v_spawns jsonb;
  v_trail jsonb;
  v_hops integer := 0;
begin
  -- One dispatch has one time, later than the last one's.
  if old._at is not null and v_now <= old._at then
    v_now := greatest(case when v_now = old._at then jet.now() else v_now end, old._at + interval '1 us');
    new._at := v_now;
  end if;

  -- workflows.jet line 52: a worker takes it. This changes nothing that an index mentions; its history comes with the next hop.
  if v_event = 'LOCKED_BY_WORKER' and old.state = 'ready' then
    new.state := 'running';
    new.attempts := old.attempts + 1;
    new.entered_at := v_now;
    new._seq := old._seq + 1;
    new._token := new._seq;
    new._applied := true;
    new._was_state := old.state;
    new._was_entered := old.entered_at;
    new._was_event := case when old._applied then old._event end;
    return new;
  end if;

  -- workflows.jet line 56: its work is done, and nothing is to be decided or cleared away.
  if v_event = 'SUCCESS' and old.state = 'running' and old._applied
    and num_nonnulls(new._set, old._changed, old._hops, old._spawns, old._stuck) = 0
    and (new._payload ->> 'parcel') is not null
  then
    new.parcel := (new._payload ->> 'parcel');
    v_changed := coalesce(v_changed, '{}') || jsonb_build_object('parcel', new.parcel);
    new._changed := v_changed;
    new.state := 'done';
    new.entered_at := v_now;
    new.run_at := null;
    new._seq := old._seq + 1;
    new._ended := true;
    new._worker := null;
    new._token := null;
    new._was_state := null;
    return new;
  end if;
  new._applied := true;
  new._was_state := null;
  new._changed := null;
  new._hops := null;
  new._spawns := null;
  if new._set is not null then
    -- task.set of the handler, before the guards of its outcome; a failed run leaves no trace.
    if v_event <> 'ERROR' then
      if (new._set -> 'parcel') is not null then
        new.parcel := (new._set ->> 'parcel');
        v_changed := coalesce(v_changed, '{}') || jsonb_build_object('parcel', new.parcel);
      end if;
    end if;
    new._set := null;
  end if;
  <<macrostep>>
  loop
    v_to := null;
    v_raised := null;
    <<clause>>
    begin
      if v_event is not null then
        v_taken := true;
        if new.state = 'running' then
          if v_event = 'SUCCESS' then
            if new._fence is not null and (new._payload ->> 'parcel') is null then
              v_unfit := 'SUCCESS needs field ''parcel'' (text)';
              v_taken := false;
            else
              -- workflows.jet line 56
              new.parcel := (new._payload ->> 'parcel');
              v_changed := coalesce(v_changed, '{}') || jsonb_build_object('parcel', new.parcel);
              v_to := 'done';
            end if;
          elsif v_event = 'ERROR' then
            -- workflows.jet line 52
            v_to := 'failed';
          elsif v_event = 'RELEASED' then
            -- workflows.jet line 52
            new.attempts := new.attempts - 1;
            v_to := 'ready';
          elsif v_event = 'SNOOZE' then
            if new._fence is not null and (new._payload ->> 'delay') is null then
              v_unfit := 'SNOOZE needs field ''delay'' (interval)';
              v_taken := false;
            else
              -- workflows.jet line 52
              new.attempts := new.attempts - 1;
              v_to := 'ready';
              v_delay := (new._payload ->> 'delay')::interval;
            end if;
          else
            v_taken := false;
          end if;
        elsif new.state = 'ready' then
          if v_event = 'LOCKED_BY_WORKER' then
            -- workflows.jet line 52
            new.attempts := new.attempts + 1;
            v_to := 'running';
          else
            v_taken := false;
          end if;
        elsif new.state = 'done' then
          if v_event = 'RERUN_TASK' then
            -- workflows.jet line 52
            new.attempts := 0;
            v_to := 'ready';
          else
            v_taken := false;
          end if;
        elsif new.state = 'abandoned' then
          if v_event = 'RETRY_TASK' then
            -- workflows.jet line 52
            new.attempts := 0;
            v_to := 'ready';
          else
            v_taken := false;
          end if;
        else
          v_taken := false;
        end if;
      else
        if new.state = 'failed' then
          -- workflows.jet line 52
          if new.attempts < 5 then
            v_to := 'ready';
            exit clause;
          end if;

          -- workflows.jet line 52
          v_to := 'abandoned';
          exit clause;
        end if;
      end if;
    end clause;

    if v_raised is not null then
      v_event := v_raised;
      continue macrostep;
    end if;
    if v_event is null then
      exit macrostep when v_to is null;
    elsif not v_taken then
      -- A worker's outcome that no clause takes is a failure.
      if v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') or (new._fence is not null and v_event not in ('ERROR', 'stuck')) then
        new._payload := jsonb_build_object(
          'type', case when v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') then v_event when v_unfit is not null then 'payload' else 'unhandled' end,
          'message', case v_event when 'RELEASED' then 'the worker handed the task back' when 'TIMEOUT' then 'the handler ran out of time'
            when 'LEASE_EXPIRED' then 'the worker''s lease ran out'
            else coalesce(v_unfit, 'the handler answered ' || v_event || ', which state ' || new.state || ' does not take') end);
        -- A failed run leaves no trace.
        if v_changed is not null then
          new.parcel := old.parcel;
          v_changed := null;
        end if;
        v_event := 'ERROR';
        new._event := v_event;
        continue macrostep;
      end if;

      -- The engine's own notes are in lower case, as no event is.
      if v_event = 'stuck' then
        new._stuck := new._payload;
        new.run_at := null;
        new._worker := null;
        new._token := null;
      elsif v_event = 'unstuck' then
        new._stuck := null;
        new.run_at := case when new.state in ('ready') then v_now end;
      end if;
      new._applied := false;
      v_hops := 1;
      exit macrostep;
    end if;

    -- One hop.
    if v_hops > 0 then
      v_trail := coalesce(v_trail, '[]') || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
      v_changed := null;
    elsif new._event is null then
      -- What creation set belongs to its own row of the history, which tells no changes.
      v_changed := null;
    end if;
    v_hops := v_hops + 1;
    if v_hops > 100 then
      raise exception using message = 'shop.shipment: in state ' || new.state || ' more than 100 transitions followed from one event',
        detail = 'machine shop.shipment, workflows.jet line 52', errcode = '54001';
    end if;
    v_hop_event := case when v_hops = 1 then new._event else v_event end;
    v_event := null;
    if v_to is null or (v_to = new.state) then
      if v_delay is not null and new._stuck is null then
        new.run_at := v_now + greatest(v_delay, interval '0 s');
      end if;
      exit macrostep;
    end if;
    new.state := v_to;
    new.entered_at := v_now;
    new.run_at := case when v_to in ('ready') then v_now + greatest(v_delay, interval '0 s') when v_to in ('running') then new.run_at end;
    new._stuck := null;
    v_delay := null;
  end loop;

  if v_trail is not null then
    new._hops := v_trail || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
  end if;
  new._changed := v_changed;
  new._spawns := v_spawns;
  new._seq := new._seq + v_hops;
  new._ended := new.state in ('done', 'abandoned');
  if new.state not in ('running') then
    new._worker := null;
    new._token := null;
  elsif new._event = 'LOCKED_BY_WORKER' and new._applied then
    new._token := new._seq;
    new._was_event := case when old._applied then old._event end;
  end if;
  return new;
end
$jet$;
revoke all on function shop._shipment_step() from public;

-- Behind every UPDATE of shop.shipment: its history, and the tasks it spawned, in the same transaction.
-- Old and new rows are as many as the statement changed: joined by hash, whatever the caller has set. A spawn has no join
-- but a nested loop: the cost of one that is switched off would call for JIT compilation, 100 ms for a statement of one.
create or replace function shop._shipment_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_hashjoin = on set enable_nestloop = off
set jit = off as $jet$
begin
  insert into shop._shipment_hops (
    id, seq, at, event, payload, actor, from_state, to_state, entered_at, attempts, run_at,
    changed, hops, was, token, send_key, claimed_state, claimed_entered, claimed_actor)
  select n.id, n._seq, n._at, n._event, case when n._event <> 'LOCKED_BY_WORKER' then n._payload end, n._actor,
    o.state, case when n._applied then n.state end, o.entered_at, o.attempts, o.run_at,
    n._changed, n._hops, case when n._changed is not null or n._hops is not null then
      jsonb_build_object('parcel', o.parcel) end, n._fence, n._send_key,
    o._was_state, case when o._was_state is not null then o._was_entered end, case when o._was_state is not null then o._actor end
  from n join o on o.id = n.id
  -- A claim waits for the dispatch that follows it.
  where n._was_state is null;
  if exists (select from n where n.run_at <= n._at and n._was_state is null and n.state in ('ready')) then
    perform jet.wake('shop.shipment');
  end if;

  -- Its handler is still at work somewhere: tell that worker.
  if exists (select from n join o on o.id = n.id where o._worker is not null and n._worker is null and n._fence is null) then
    perform pg_notify('jet', 'shop.shipment lost');
  end if;
  return null;
end
$jet$;
revoke all on function shop._shipment_log() from public;

create trigger refuse_update before update of
    id, state, attempts, depth, parent, root, created_at, entered_at, run_at, _priority, _seq, _ended, _applied,
    _token, _was_state, _was_entered, _was_event, _changed, _hops, _spawns, _stuck, _creator, _key, order_id,
    parcel
  on shop.shipment
  for each statement execute function jet.refuse_write();

create trigger refuse_insert before insert on shop.shipment
  for each row when (
    new.state <> 'ready' or new.attempts <> 0 or new._seq <> 1 or new._event is not null or new._worker is not null
    or new._hops is not null or new._spawns is not null or new._was_state is not null or new._stuck is not null)
  execute function jet.refuse_write();

create trigger step before update of _event on shop.shipment
  for each row execute function shop._shipment_step();

create trigger log after update on shop.shipment referencing new table as n old table as o
  for each statement execute function shop._shipment_log();

-- Creates one task: the public shop.shipment_create and the spawns of other machines come through here.
create or replace function shop._shipment_add(
  order_id bigint, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
  _root bigint, _depth integer, _at timestamptz, _by text) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_id bigint := nextval('jet.task_id');
  v_now timestamptz;
  v_at timestamptz;
  v_actor text := jet.actor();
  v_found bigint;
begin
  if _shipment_add.order_id is null then
    raise exception using message = 'shop.shipment needs order_id', errcode = '22023';
  end if;

  -- The same idempotency key: the first result again, and nothing is done.
  if _shipment_add._key is not null then
    select t.id into v_found from shop.shipment t where t._key = _shipment_add._key;
    if found then
      return v_found;
    end if;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  v_at := coalesce(_shipment_add._at, v_now);
  if _shipment_add._key is null then
    insert into shop.shipment (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, order_id,
      parcel)
    values (
      v_id, coalesce(_shipment_add._root, v_id), _shipment_add._parent, coalesce(_shipment_add._depth, 0), v_at,
      v_at, v_at, coalesce(_shipment_add._priority, 0), _shipment_add._key, coalesce(_shipment_add._by, v_actor),
      coalesce(_shipment_add._by, v_actor),
      greatest(coalesce(_shipment_add._run_at, v_at + coalesce(_shipment_add._delay, interval '0 s')), v_now),
      _shipment_add.order_id, null);
    if coalesce(_shipment_add._delay, interval '0 s') <= interval '0 s' and coalesce(_shipment_add._run_at, v_now) <= v_now then
      perform jet.wake('shop.shipment');
    end if;
    return v_id;
  end if;
  for v_try in 1 .. 100 loop
    insert into shop.shipment (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, order_id,
      parcel)
    values (
      v_id, coalesce(_shipment_add._root, v_id), _shipment_add._parent, coalesce(_shipment_add._depth, 0), v_at,
      v_at, v_at, coalesce(_shipment_add._priority, 0), _shipment_add._key, coalesce(_shipment_add._by, v_actor),
      coalesce(_shipment_add._by, v_actor),
      greatest(coalesce(_shipment_add._run_at, v_at + coalesce(_shipment_add._delay, interval '0 s')), v_now),
      _shipment_add.order_id, null)
    on conflict do nothing;
    if found then
      if coalesce(_shipment_add._delay, interval '0 s') <= interval '0 s' and coalesce(_shipment_add._run_at, v_now) <= v_now then
        perform jet.wake('shop.shipment');
      end if;
      return v_id;
    end if;

    -- The same key, of another session.
    select t.id into v_found from shop.shipment t where t._key = _shipment_add._key;
    if found then
      return v_found;
    end if;

    -- The one in the way has ended meanwhile.
  end loop;
  raise exception using message = 'shop.shipment: the tasks in the way keep changing; try again', errcode = '40001';
end
$jet$;
revoke all on function shop._shipment_add(bigint, interval, timestamptz, integer, text, bigint, bigint, integer, timestamptz, text) from public;

-- Creates a task and returns its id (workflows.jet line 52). _delay or _run_at hold it back, a lower _priority goes
-- first, a _key makes the call repeatable.
create or replace function shop.shipment_create(
  order_id bigint, _delay interval default null, _run_at timestamptz default null,
  _priority integer default null, _key text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
begin
  return shop._shipment_add(
    shipment_create.order_id, shipment_create._delay, shipment_create._run_at, shipment_create._priority,
    shipment_create._key, null, null, 0, null, null);
end
$jet$;

-- Creates many tasks from an array of objects, in order. Members _parent, _root, _depth, and _at and _by, the
-- time and the actor of the dispatch, come from spawns only.
create or replace function shop._shipment_insert(_tasks jsonb) returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_actor text := jet.actor();
  v_spec constant jsonb := '[{"name": "order_id", "type": "bigint", "required": true}]'::jsonb;
  v_misfit text;
  v_row record;
  v_ids bigint[];
  v_made bigint[];
begin
  if _tasks is null or _tasks = '[]'::jsonb then
    return;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  if not jsonb_path_exists(_tasks, '$[*]._key') then
    return query
      insert into shop.shipment (
        id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, order_id,
        parcel)
      select
        x._id, coalesce(x._root, x._id), x._parent, coalesce(x._depth, 0), coalesce(x._at, v_now),
        coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key, coalesce(x._by, v_actor),
        coalesce(x._by, v_actor),
        greatest(coalesce(x._run_at, coalesce(x._at, v_now) + coalesce(x._delay, interval '0 s')), v_now), x.order_id,
        null
      from (
        select nextval('jet.task_id') as _id, x.* from rows from (jsonb_to_recordset(_tasks) as (
        order_id bigint, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
        _root bigint, _depth integer, _at timestamptz, _by text
      )) with ordinality as x (
        order_id, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)) x
      returning id;
    perform jet.wake('shop.shipment');
    return;
  end if;
  v_ids := array(select nextval('jet.task_id') from generate_series(1, jsonb_array_length(_tasks)));
  -- In the order of what must be unique, so that two such calls never wait for each other crosswise.
  with i as (
    insert into shop.shipment (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, order_id,
      parcel)
    select
      v_ids[x._ordinal], coalesce(x._root, v_ids[x._ordinal]), x._parent, coalesce(x._depth, 0),
      coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key,
      coalesce(x._by, v_actor), coalesce(x._by, v_actor),
      greatest(coalesce(x._run_at, coalesce(x._at, v_now) + coalesce(x._delay, interval '0 s')), v_now), x.order_id,
      null
    from rows from (jsonb_to_recordset(_tasks) as (
      order_id bigint, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
      _root bigint, _depth integer, _at timestamptz, _by text
    )) with ordinality as x (
      order_id, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
    where (select t.id from shop.shipment t where t._key = x._key) is null
    order by x._key, x._ordinal
    on conflict do nothing
    returning id)
  select coalesce(array_agg(i.id), '{}') into v_made from i;
  if cardinality(v_made) < cardinality(v_ids) then
    -- The same idempotency key: the first result again, and nothing is computed.
    select array_agg(coalesce(t.id, v_ids[e.ordinality]) order by e.ordinality), v_made || array_agg(t.id) filter (where t.id is not null)
      into v_ids, v_made
      from jsonb_array_elements(_tasks) with ordinality e left join shop.shipment t on t._key = e.value ->> '_key';
    for v_row in
      select x.* from
        rows from (jsonb_to_recordset(_tasks) as (
          order_id bigint, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
          _root bigint, _depth integer, _at timestamptz, _by text
        )) with ordinality as x (
          order_id, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
      where v_ids[x._ordinal] not in (select unnest(v_made)) order by x._key, x._ordinal
    loop
      v_ids[v_row._ordinal] := shop._shipment_add(
        v_row.order_id, v_row._delay, v_row._run_at, v_row._priority, v_row._key, v_row._parent, v_row._root,
        v_row._depth, v_row._at, v_row._by);
    end loop;
  end if;
  perform jet.wake('shop.shipment');
  return query select unnest(v_ids);
exception when data_exception or not_null_violation or check_violation or raise_exception then
  -- Say which field of which task it was.
  select 'task ' || e.n || ' of ' || 'shop.shipment' || ': ' || m.misfit into v_misfit
    from jsonb_array_elements(_tasks) with ordinality as e (value, n),
      lateral jet.misfit('it', e.value - array['_delay', '_run_at', '_priority', '_key', '_parent', '_root', '_depth', '_at', '_by']::text[], v_spec) as m (misfit)
    where m.misfit is not null order by e.n limit 1;
  if v_misfit is null then
    raise;
  end if;
  raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'order_id: bigint';
end
$jet$;
revoke all on function shop._shipment_insert(jsonb) from public;

-- Creates many tasks at once, as fast as COPY. _tasks: [{params by name, and _delay, _run_at, _priority, _key}]; ids come back in that order.
create or replace function shop.shipment_create_many(_tasks jsonb) returns setof bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
declare
  v_known constant text[] := array['order_id', '_delay', '_run_at', '_priority', '_key']::text[];
  v_spec constant jsonb := '[{"name": "order_id", "type": "bigint", "required": true}]'::jsonb;
  v_misfit text;
begin
  if _tasks is not null and jsonb_typeof(_tasks) <> 'array' then
    raise exception using errcode = '22023',
      message = 'shop.shipment' || ' create_many takes an array of objects, not ' || jsonb_typeof(_tasks);
  end if;
  if exists (select from jsonb_array_elements(_tasks) e where jsonb_typeof(e) <> 'object' or (e - v_known) <> '{}'::jsonb) then
    select 'task ' || e.n || ' of ' || 'shop.shipment' || ': ' || m.misfit into v_misfit
      from jsonb_array_elements(_tasks) with ordinality as e (value, n),
        lateral jet.misfit('it', case jsonb_typeof(e.value) when 'object' then e.value - array['_delay', '_run_at', '_priority', '_key']::text[] else e.value end, v_spec) as m (misfit)
      where m.misfit is not null order by e.n limit 1;
    raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'order_id: bigint';
  end if;
  return query select shop._shipment_insert(_tasks);
end
$jet$;

-- Sends one event to one task, and runs it to completion in this transaction.
create or replace function shop.shipment_send(_id bigint, _event text, _payload jsonb default '{}', _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_fields jsonb := nullif(nullif(shipment_send._payload, 'null'), '{}');
  v_misfit text;
  v_sent jet.sent;
begin
  case shipment_send._event
    when 'SNOOZE' then v_misfit := jet.misfit('SNOOZE', coalesce(v_fields, '{}'), '[{"name": "delay", "type": "interval", "required": true}]'::jsonb);
    when 'RERUN_TASK' then v_misfit := jet.misfit('RERUN_TASK', coalesce(v_fields, '{}'), '[]'::jsonb);
    when 'RETRY_TASK' then v_misfit := jet.misfit('RETRY_TASK', coalesce(v_fields, '{}'), '[]'::jsonb);
    else
      raise exception using message = 'shop.shipment' || ' does not take event ' || coalesce(shipment_send._event, 'null'), hint = 'it takes SNOOZE, RERUN_TASK, RETRY_TASK', errcode = '22023';
  end case;
  if v_misfit is not null then
    raise exception using message = v_misfit, errcode = '22023', hint = 'its fields are: ' || case shipment_send._event when 'SNOOZE' then 'delay: interval' when 'RERUN_TASK' then 'none' when 'RETRY_TASK' then 'none' end;
  end if;

  perform from shop.shipment t where t.id = shipment_send._id for no key update;
  if not found then
    raise exception using message = 'shop.shipment' || ' has no task ' || coalesce(shipment_send._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.shipment', errcode = 'P0002';
  end if;
  if shipment_send._key is not null then
    select h.to_state is not null, coalesce(h.to_state, h.from_state),
        case when h.to_state is null then 'state ' || h.from_state || ' does not take ' || h.event end
      into v_sent from shop._shipment_hops h where h.id = shipment_send._id and h.send_key = shipment_send._key;
    if found then
      return v_sent;
    end if;
  end if;

  update shop.shipment t set _event = shipment_send._event, _payload = v_fields, _at = jet.now(), _actor = jet.actor(),
      _send_key = shipment_send._key, _fence = null
    where t.id = shipment_send._id
    returning t._applied, t.state, case when not t._applied then 'state ' || t.state || ' does not take ' || shipment_send._event end into v_sent;
  return v_sent;
end
$jet$;

-- SNOOZE, with typed fields.
create or replace function shop.shipment_send_snooze(
  _id bigint, delay interval, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.shipment_send(shipment_send_snooze._id, 'SNOOZE', jsonb_build_object('delay', shipment_send_snooze.delay), shipment_send_snooze._key);
end
$jet$;

-- RERUN_TASK, with typed fields.
create or replace function shop.shipment_send_rerun_task(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.shipment_send(shipment_send_rerun_task._id, 'RERUN_TASK', jsonb_build_object(), shipment_send_rerun_task._key);
end
$jet$;

-- RETRY_TASK, with typed fields.
create or replace function shop.shipment_send_retry_task(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.shipment_send(shipment_send_retry_task._id, 'RETRY_TASK', jsonb_build_object(), shipment_send_retry_task._key);
end
$jet$;

-- A dispatch that failed twice. ERROR(type: "transition") once, where the state takes it; else the task is stuck: it holds
-- no lease, leaves the claim index and keeps its event until shop.shipment_retry. _with: the token, where the worker itself came with it.
create or replace function shop._shipment_trouble(_task bigint, _failed text, _fields jsonb, _vars jsonb, _error text, _name text, _with bigint) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_error text := _error;
  v_applied boolean;
begin
  if _failed <> 'ERROR' then
    begin
      update shop.shipment t set _event = 'ERROR', _payload = jsonb_build_object('type', 'transition', 'message', _error, 'event', _failed),
          _set = null, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task and t.state in ('running') returning t._applied into v_applied;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
  end if;
  if v_applied then
    return 'failed';
  end if;
  update shop.shipment t set _event = 'stuck', _at = jet.now(), _actor = _name, _set = null, _send_key = null, _fence = _with,
      _payload = jsonb_build_object('at', jet.now(), 'event', _failed, 'payload', _fields, 'set', _vars, 'token', _with,
        'error', v_error, 'state', t.state)
    where t.id = _task;
  return 'stuck';
end
$jet$;
revoke all on function shop._shipment_trouble(bigint, text, jsonb, jsonb, text, text, bigint) from public;

-- One outcome of a batch that could not be applied as a whole.
create or replace function shop._shipment_settle(_by bigint, _name text, _task bigint, _with bigint, _outcome text, _fields jsonb, _vars jsonb) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_worker bigint;
  v_token bigint;
  v_fence bigint;
  v_event text;
  v_applied boolean;
  v_error text;
begin
  select t._worker, t._token, t._fence into v_worker, v_token, v_fence from shop.shipment t where t.id = _task for no key update;
  if not found then
    return 'missing';
  end if;
  if v_worker = _by and v_token = _with then
    begin
      update shop.shipment t set _event = _outcome, _payload = _fields, _set = _vars, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task returning t._event, t._applied into v_event, v_applied;
      return case when not v_applied then 'ignored' when v_event <> _outcome and _outcome not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
    return shop._shipment_trouble(_task, _outcome, _fields, _vars, v_error, _name, _with);
  end if;
  if v_fence = _with or exists (select from shop._shipment_hops h where h.id = _task and h.token = _with) then
    return 'duplicate';
  end if;
  update shop.shipment t set _event = 'late', _payload = jsonb_build_object('event', _outcome, 'token', _with, 'payload', _fields),
      _set = null, _fence = null, _at = jet.now(), _actor = _name, _send_key = null
    where t.id = _task;
  return 'lost';
end
$jet$;
revoke all on function shop._shipment_settle(bigint, text, bigint, bigint, text, jsonb, jsonb) from public;

-- Ends the work of a batch: [{"id", "token", "event", "payload", "set"}], each task once. The token is the fence: a worker
-- whose lease was lost cannot finish the task, and its late result goes into the history.
create or replace function shop.shipment_resolve(_worker bigint, _outcomes jsonb)
returns table (id bigint, result text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_ids bigint[];
  v_done bigint[];
  v_results text[];
  v_outcome record;
begin
  perform jet.need_read_committed();
  select w.name into v_actor from jet.worker w where w.id = shipment_resolve._worker;
  v_actor := coalesce(v_actor, 'worker ' || shipment_resolve._worker);
  perform pg_current_xact_id();  -- before the clock: see the mark of claim
  v_now := jet.now();
  v_ids := array(select r.id from jsonb_to_recordset(_outcomes) as r (id bigint));
  begin
    -- In the order of ids, so that two such calls never wait for each other crosswise. With the ids as an array the
    -- rows are reached by key whatever the join, also by a plan that was made while the table was empty.
    with u as (
      update shop.shipment t set _event = o.event, _payload = nullif(o.payload, 'null'), _set = nullif(o.set, 'null'), _fence = o.token, _at = v_now, _actor = v_actor, _send_key = null
      from (select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) order by r.id) o
      where t.id = any(v_ids) and t.id = o.id and t._token = o.token and t._worker = shipment_resolve._worker
      returning t.id, case when not t._applied then 'ignored'
        when t._event <> o.event and o.event not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end as result)
    select coalesce(array_agg(u.id), '{}'), array_agg(u.result) into v_done, v_results from u;
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;

    -- One of them cannot make the step: each alone.
    v_done := '{}';
  end;
  return query select * from unnest(v_done, v_results);
  if cardinality(v_done) = jsonb_array_length(_outcomes) then
    return;
  end if;
  for v_outcome in select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) where r.id <> all(v_done) order by r.id loop
    id := v_outcome.id;
    result := shop._shipment_settle(shipment_resolve._worker, v_actor, v_outcome.id, v_outcome.token, v_outcome.event, nullif(v_outcome.payload, 'null'), nullif(v_outcome.set, 'null'));
    return next;
  end loop;
end
$jet$;

-- Claims up to _limit tasks for a worker, by priority, then run_at, then id. The last row has no id: its mark goes into
-- the worker's next claim, which then does not walk the index entries that lie behind. What makes a mark safe:
--   low   nothing claimable lies before it;
--   high  where a former claim came to. low moves up to it once every transaction that was in flight when high was read
--         has ended (all up to that claim's own id), and a look back finds nothing that another session keeps locked.
-- run_at is never set in the past, and every writer has a transaction id before it reads the clock.
create or replace function shop.shipment_claim(_worker bigint, _limit integer, _mark jsonb default null)
returns table (id bigint, token bigint, attempt integer, state text, handler text, data json, mark jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_left integer := _limit;
  v_marks jsonb := '{}'::jsonb;
  v_priority integer;
  v_after integer;
  v_known integer;
  v_mark jsonb;
  v_low_at timestamptz;
  v_low_id bigint;
  v_high_at timestamptz;
  v_high_id bigint;
  v_end_at timestamptz;
  v_end_id bigint;
  v_mark_at timestamptz;
  v_settled boolean;
  v_ids bigint[];
  v_next timestamptz;
  v_due timestamptz;
begin
  perform jet.need_read_committed();
  v_actor := jet.worker_name(_worker);
  v_now := jet.now();
  if exists (select from jet.paused p where p.machine = 'shop.shipment') then
    return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json, '{}'::jsonb;
    return;
  end if;

  -- A mark from the future: the clock was set back.
  if (_mark ->> 'at')::timestamptz <= v_now then
    v_marks := coalesce(_mark -> 'p', '{}');
  end if;

  while v_left > 0 loop
    -- The next priority: one that the mark knows, or a new one before it.
    select min(k::integer) into v_known from jsonb_object_keys(v_marks) k where v_after is null or k::integer > v_after;
    v_priority := null;
    select t._priority into v_priority from shop.shipment t
      where t.run_at is not null and t._priority > coalesce(v_after::bigint, -2147483649)
        and t._priority < coalesce(v_known::bigint, 2147483648)
      order by t._priority, t.run_at, t.id limit 1;
    v_priority := coalesce(v_priority, v_known);
    exit when v_priority is null;
    v_after := v_priority;

    v_mark := v_marks -> (v_priority::text);
    v_low_at := coalesce((v_mark ->> 0)::timestamptz, '-infinity');
    v_low_id := coalesce((v_mark ->> 1)::bigint, 0);
    v_high_at := (v_mark ->> 2)::timestamptz;
    v_high_id := (v_mark ->> 3)::bigint;
    v_mark_at := v_high_at;
    v_settled := pg_snapshot_xmin(pg_current_snapshot()) > (v_mark ->> 4)::xid8;

    v_ids := null;
    select array_agg(c.id), max(c.run_at) into v_ids, v_end_at from (
      select t.id, t.run_at from shop.shipment t
      where t.run_at is not null and t._priority = v_priority and t.run_at <= v_now and (t.run_at, t.id) > (v_low_at, v_low_id)
        and t.state in ('ready')
      order by t.run_at, t.id limit v_left for no key update skip locked) c;
    if v_ids is null then
      v_end_at := v_now;
      v_end_id := 9223372036854775807;
    else
      return query
        update shop.shipment t set _event = 'LOCKED_BY_WORKER', _at = v_now, _actor = v_actor, _worker = shipment_claim._worker, _fence = null, _send_key = null, _set = null
        where t.id = any(v_ids)
        returning t.id, t._token, t.attempts, t.state, U&'shop.shipping!003Abook' uescape '!', json_build_object('params', json_build_object('order_id', t.order_id), 'vars', json_build_object('parcel', t.parcel), 'event', case when t._was_event is not null then json_build_object('name', t._was_event, 'payload', t._payload) end), null::jsonb;
      if cardinality(v_ids) < v_left then
        v_end_at := v_now;
        v_end_id := 9223372036854775807;
      else
        v_end_id := v_ids[cardinality(v_ids)];
      end if;
      v_left := v_left - cardinality(v_ids);
    end if;

    if v_settled then
      -- Up to high, or to where this claim came, if that is less; but before what is still claimable there.
      if (v_high_at, v_high_id) > (v_end_at, v_end_id) then
        v_high_at := v_end_at;
        v_high_id := v_end_id;
      end if;
      v_due := null;
      select t.run_at, t.id - 1 into v_due, v_low_id from shop.shipment t
        where t.run_at is not null and t._priority = v_priority and (t.run_at, t.id) > (v_low_at, v_low_id)
          and (t.run_at, t.id) <= (v_high_at, v_high_id) and t.state in ('ready')
        order by t.run_at, t.id limit 1;
      v_low_at := coalesce(v_due, v_high_at);
      v_low_id := case when v_due is null then v_high_id else v_low_id end;
    end if;

    -- A snapshot's xmax is no bound of what is in flight: ids given out and not ended lie above it. Our own id is one,
    -- taken after the clock was read; a look that found nothing spends one a second at most.
    if v_mark is null or v_settled and (v_ids is not null or v_mark_at < v_now - interval '1 s') then
      v_marks := jsonb_set(v_marks, array[v_priority::text], jsonb_build_array(
        v_low_at, v_low_id, v_end_at, v_end_id, pg_current_xact_id()::text));
    end if;

    if v_left > 0 then
      select t.run_at into v_due from shop.shipment t
        where t.run_at is not null and t._priority = v_priority and t.run_at > v_now order by t.run_at, t.id limit 1;
      v_next := least(v_next, v_due);
    end if;
  end loop;

  return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json,
    jsonb_build_object('at', v_now, 'p', v_marks, 'next', case when v_left > 0 then extract(epoch from v_next - v_now) end);
end
$jet$;

-- Which of these tasks a worker no longer holds: it stops their handlers.
create or replace function shop.shipment_lost(_worker bigint, _ids bigint[], _tokens bigint[]) returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $jet$
  select h.id from unnest(_ids, _tokens) as h (id, token)
  where not exists (select from shop.shipment t where t.id = h.id and t._worker = shipment_lost._worker and t._token = h.token)
$jet$;

-- Ends the leases of dead workers (LEASE_EXPIRED), and runs past their timeout (TIMEOUT).
create or replace function shop._shipment_expire(_dead bigint[], _max integer) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_id bigint;
  v_ids bigint[];
  v_event text;
  v_error text;
begin
  v_now := jet.now();
  v_ids := array(
    select t.id from shop.shipment t
    where t.run_at is not null and t.run_at <= v_now and t.state in ('running')
      and (t._worker = any(_dead))
    order by t._priority, t.run_at, t.id limit _max for no key update skip locked);
  if v_ids = '{}' then
    return 0;
  end if;
  begin
    update shop.shipment t set _event = 'LEASE_EXPIRED', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
      where t.id = any(v_ids);
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;
    foreach v_id in array v_ids loop
      begin
        update shop.shipment t set _event = 'LEASE_EXPIRED', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
          where t.id = v_id;
      exception when others then
        if jet.is_servers_trouble(sqlstate) then
          raise;
        end if;
        get stacked diagnostics v_error = message_text;
        select 'LEASE_EXPIRED' into v_event from shop.shipment t where t.id = v_id;
        perform shop._shipment_trouble(v_id, v_event, null, null, v_error, 'jet.tick', null);
      end;
    end loop;
  end;
  return cardinality(v_ids);
end
$jet$;
revoke all on function shop._shipment_expire(bigint[], integer) from public;

-- Frees a stuck task and dispatches again what it was stuck on.
create or replace function shop.shipment_retry(_id bigint) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_stuck jsonb;
  v_sent jet.sent;
begin
  select t._stuck, t.state into v_stuck, v_sent.state from shop.shipment t where t.id = shipment_retry._id for no key update;
  if not found then
    raise exception using message = 'shop.shipment' || ' has no task ' || coalesce(shipment_retry._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.shipment', errcode = 'P0002';
  end if;
  if v_stuck is null then
    v_sent.applied := false;
    v_sent.reason := 'it is not stuck';
    return v_sent;
  end if;
  update shop.shipment t set _event = 'unstuck', _payload = null, _set = null, _fence = null, _send_key = null, _at = jet.now(), _actor = jet.actor()
    where t.id = shipment_retry._id;
  if v_stuck ->> 'event' <> 'LOCKED_BY_WORKER' then
    -- With the fence of then, a worker's outcome that no clause takes is a failure still.
    update shop.shipment t set _event = v_stuck ->> 'event', _payload = nullif(v_stuck -> 'payload', 'null'), _set = nullif(v_stuck -> 'set', 'null'),
        _fence = (v_stuck ->> 'token')::bigint, _at = jet.now()
      where t.id = shipment_retry._id;
  end if;
  select true, t.state, null into v_sent from shop.shipment t where t.id = shipment_retry._id;
  return v_sent;
end
$jet$;

-- The history as a reader wants it: one row a hop. event and from_state are null for the creation; to_state is null for
-- an event that the state did not take.
create or replace view shop.shipment_history (id, seq, at, event, payload, from_state, to_state, changed, actor) as
  select t.id, 1, t.created_at, null::text, null::jsonb, null::text,
    coalesce((select coalesce(h.claimed_state, h.from_state) from shop._shipment_hops h where h.id = t.id order by h.seq limit 1), t._was_state, t.state),
    null::jsonb, t._creator
  from shop.shipment t
  union all
  -- The claim that the next dispatch was written with.
  select h.id, h.seq - coalesce(jsonb_array_length(h.hops), 1), h.entered_at, 'LOCKED_BY_WORKER', null, h.claimed_state, h.from_state,
    null, h.claimed_actor
  from shop._shipment_hops h where h.claimed_state is not null
  union all
  select h.id, h.seq, h.at, h.event, h.payload, h.from_state, h.to_state, h.changed, h.actor
  from shop._shipment_hops h where h.hops is null
  union all
  select h.id, (h.seq - jsonb_array_length(h.hops) + hop.n)::integer, h.at, hop.value ->> 'event', case hop.n when 1 then h.payload end,
    case hop.n when 1 then h.from_state else h.hops -> (hop.n::integer - 2) ->> 'to' end, hop.value ->> 'to',
    nullif(hop.value -> 'changed', 'null'::jsonb), h.actor
  from shop._shipment_hops h cross join lateral jsonb_array_elements(h.hops) with ordinality as hop (value, n)
  where h.hops is not null
  union all
  -- A claim that nothing has followed yet.
  select t.id, t._seq, t.entered_at, 'LOCKED_BY_WORKER', null, t._was_state, t.state, null, t._actor
  from shop.shipment t where t._was_state is not null;

-- shop.shipment as it stood at a moment: every task at rest after its last dispatch up to then.
create or replace function shop.shipment_at(_at timestamptz)
returns table (id bigint, state text, attempts integer, depth integer, parent bigint, root bigint, created_at timestamptz, entered_at timestamptz, run_at timestamptz, order_id bigint, parcel text)
language sql stable set search_path = pg_catalog, pg_temp as $jet$
  select t.id,
    case when t._at <= $1 then t.state when h.id is null then t._was_state when h.claimed_state is null or h.entered_at <= $1 then h.from_state else h.claimed_state end,
    case when t._at <= $1 then t.attempts when h.id is null then t.attempts - case when t._was_state in ('ready') then 1 else 0 end
      when h.claimed_state is null or h.entered_at <= $1 then h.attempts else h.attempts - case when h.claimed_state in ('ready') then 1 else 0 end end,
    t.depth, t.parent, t.root, t.created_at,
    case when t._at <= $1 then t.entered_at when h.id is null then t._was_entered when h.claimed_state is null or h.entered_at <= $1 then h.entered_at else h.claimed_entered end,
    case when t._at <= $1 or h.id is null then t.run_at else h.run_at end,
    t.order_id,
    case when w.was is null then t.parcel else (w.was ->> 'parcel') end

  from shop.shipment t
  -- The first dispatch after that moment tells how the task stood before it,
  left join lateral (
    select h.* from shop._shipment_hops h where t._at > $1 and h.id = t.id and h.at > $1 order by h.seq limit 1) h on true
  -- and the first one that changed vars, what they were.
  left join lateral (
    select h.was from shop._shipment_hops h where t._at > $1 and h.id = t.id and h.at > $1 and h.was is not null order by h.seq limit 1) w on true
  where t.created_at <= $1

$jet$;

comment on table shop.shipment is 'The standard task machine, extended state by state.';

insert into jet.machine (module, name, hash, manifest)
values ('shop', 'shipment', '8727d8733bf27c889afdaaea738f6ab3a2683097ae57fb54be28a7dd7a20bd54',
  U&'{"params": [{"name": "order_id", "type": "bigint", "optional": false}], "vars": [{"name": "parcel", "type": "text", "optional": true, "default": true}], "enums": {"tier": ["free", "pro"]}, "events": {"SNOOZE": [{"name": "delay", "type": "interval", "optional": false}], "RERUN_TASK": [], "RETRY_TASK": []}, "initial": "ready", "states": ["ready", "running", "failed", "done", "abandoned"], "final": ["done"], "failure": ["abandoned"], "claimable": {"ready": "running"}, "work": {"running": {"name": "running", "run": "shop.shipping!003Abook", "timeout": false, "outcomes": {"SUCCESS": [{"name": "parcel", "type": "text", "optional": false}], "ERROR": [{"name": "type", "type": "text", "optional": false}, {"name": "message", "type": "text", "optional": false}, {"name": "traceback", "type": "text", "optional": false}], "RELEASED": [], "SNOOZE": [{"name": "delay", "type": "interval", "optional": false}]}}}}' uescape '!'::jsonb)
on conflict (module, name) do update set hash = excluded.hash, manifest = excluded.manifest;

-- One row a task of machine shop.send_receipt (workflows.jet line 60). Columns that begin with _ are the engine's.
create table shop.send_receipt (
  id bigint not null,
  state text collate "C" not null default 'ready',
  attempts integer not null default 0,
  depth integer not null default 0,
  parent bigint,
  root bigint not null,
  created_at timestamptz not null,
  entered_at timestamptz not null,
  run_at timestamptz,
  email text not null,
  url text not null,
  _priority integer not null default 0,
  _at timestamptz not null,
  _seq integer not null default 1,
  _ended boolean not null default false,
  _applied boolean not null default true,
  _event text collate "C",
  _payload jsonb,
  _set jsonb,
  _actor text not null,
  _send_key text collate "C",
  _worker bigint,
  _token bigint,
  _fence bigint,
  _was_state text collate "C",
  _was_entered timestamptz,
  _was_event text collate "C",
  _changed jsonb,
  _hops jsonb,
  _spawns jsonb,
  _stuck jsonb,
  _creator text not null,
  _key text collate "C",
  constraint send_receipt_state_check check (state in ('ready', 'running', 'failed', 'done', 'abandoned')),
  constraint send_receipt_pkey primary key (id)
) with (fillfactor = 45);

create index send_receipt_claim on shop.send_receipt (_priority, run_at, id) where run_at is not null;

create unique index send_receipt_key on shop.send_receipt (_key) where _key is not null;

create index send_receipt_stuck on shop.send_receipt (id) where _stuck is not null;

-- What happened to the tasks of shop.send_receipt, one row a dispatch, append-only; shop.send_receipt_history unfolds it to one row a hop.
-- from_state, entered_at, attempts, run_at and was (its vars, where they changed) tell how the task stood before, which is
-- what shop.send_receipt_at reads. A claim is written with the dispatch that follows it: claimed_*.
create table shop._send_receipt_hops (
  id bigint not null,
  seq integer not null,
  at timestamptz not null,
  event text collate "C",
  payload jsonb,
  actor text not null,
  from_state text collate "C" not null,
  to_state text collate "C",
  entered_at timestamptz not null,
  attempts integer not null,
  run_at timestamptz,
  changed jsonb,
  hops jsonb,
  was jsonb,
  token bigint,
  send_key text collate "C",
  claimed_state text collate "C",
  claimed_entered timestamptz,
  claimed_actor text
);

create index _send_receipt_hops_id on shop._send_receipt_hops (id, seq);

create unique index _send_receipt_hops_key on shop._send_receipt_hops (id, send_key) where send_key is not null;

-- The machine itself. An UPDATE that sets _event sends one event to a task; this trigger runs it to completion: the clause,
-- its effects, exits, the new state, enters, and on until the task rests. What it leaves in _changed, _hops and _spawns
-- the statement trigger behind it writes to the history and turns into tasks.
create or replace function shop._send_receipt_step() returns trigger
language plpgsql as $jet$
declare
  v_now timestamptz := new._at;
  v_event text := new._event;
  v_to text;
  v_raised text;
  v_unfit text;
  v_hop_event text;
  v_taken boolean := false;
  v_delay interval;
  v_changed jsonb;
  v_spawns jsonb;
  v_trail jsonb;
  v_hops integer := 0;
begin
  -- One dispatch has one time, later than the last one's.
  if old._at is not null and v_now <= old._at then
    v_now := greatest(case when v_now = old._at then jet.now() else v_now end, old._at + interval '1 us');
    new._at := v_now;
  end if;

  -- workflows.jet line 60: a worker takes it. This changes nothing that an index mentions; its history comes with the next hop.
  if v_event = 'LOCKED_BY_WORKER' and old.state = 'ready' then
    new.state := 'running';
    new.attempts := old.attempts + 1;
    new.entered_at := v_now;
    new._seq := old._seq + 1;
    new._token := new._seq;
    new._applied := true;
    new._was_state := old.state;
    new._was_entered := old.entered_at;
    new._was_event := case when old._applied then old._event end;
    new._spawns := null;  -- of the dispatch before, which made them
    return new;
  end if;
  new._applied := true;
  new._was_state := null;
  new._changed := null;
  new._hops := null;
  new._spawns := null;
  if new._set is not null then
    -- task.set of the handler, before the guards of its outcome; a failed run leaves no trace.
    if v_event <> 'ERROR' then
      null;
    end if;
    new._set := null;
  end if;
  <<macrostep>>
  loop
    v_to := null;
    v_raised := null;
    <<clause>>
    begin
      if v_event is not null then
        v_taken := true;
        if new.state = 'running' then
          if v_event = 'SUCCESS' then
            -- workflows.jet line 60
            v_to := 'done';
          elsif v_event = 'ERROR' then
            -- workflows.jet line 60
            v_to := 'failed';
          elsif v_event = 'RELEASED' then
            -- workflows.jet line 60
            new.attempts := new.attempts - 1;
            v_to := 'ready';
          elsif v_event = 'SNOOZE' then
            if new._fence is not null and (new._payload ->> 'delay') is null then
              v_unfit := 'SNOOZE needs field ''delay'' (interval)';
              v_taken := false;
            else
              -- workflows.jet line 60
              new.attempts := new.attempts - 1;
              v_to := 'ready';
              v_delay := (new._payload ->> 'delay')::interval;
            end if;
          else
            v_taken := false;
          end if;
        elsif new.state = 'ready' then
          if v_event = 'LOCKED_BY_WORKER' then
            -- workflows.jet line 60
            new.attempts := new.attempts + 1;
            v_to := 'running';
          else
            v_taken := false;
          end if;
        elsif new.state = 'done' then
          if v_event = 'RERUN_TASK' then
            -- workflows.jet line 60
            new.attempts := 0;
            v_to := 'ready';
          else
            v_taken := false;
          end if;
        elsif new.state = 'abandoned' then
          if v_event = 'RETRY_TASK' then
            -- workflows.jet line 60
            new.attempts := 0;
            v_to := 'ready';
          else
            v_taken := false;
          end if;
        else
          v_taken := false;
        end if;
      else
        if new.state = 'failed' then
          -- workflows.jet line 60
          if new.attempts < 3 then
            v_to := 'ready';
            exit clause;
          end if;

          -- workflows.jet line 60
          v_to := 'abandoned';
          exit clause;
        end if;
        if new.state = 'done' then
          -- workflows.jet line 62
          v_spawns := coalesce(v_spawns, '[]') || jsonb_build_object(
            'machine', 'audit', 'root', true, 'task', jsonb_build_object('what', 'receipt ' || new.email));
        end if;
      end if;
    end clause;

    if v_raised is not null then
      v_event := v_raised;
      continue macrostep;
    end if;
    if v_event is null then
      exit macrostep when v_to is null;
    elsif not v_taken then
      -- A worker's outcome that no clause takes is a failure.
      if v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') or (new._fence is not null and v_event not in ('ERROR', 'stuck')) then
        new._payload := jsonb_build_object(
          'type', case when v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') then v_event when v_unfit is not null then 'payload' else 'unhandled' end,
          'message', case v_event when 'RELEASED' then 'the worker handed the task back' when 'TIMEOUT' then 'the handler ran out of time'
            when 'LEASE_EXPIRED' then 'the worker''s lease ran out'
            else coalesce(v_unfit, 'the handler answered ' || v_event || ', which state ' || new.state || ' does not take') end);
        v_event := 'ERROR';
        new._event := v_event;
        continue macrostep;
      end if;

      -- The engine's own notes are in lower case, as no event is.
      if v_event = 'stuck' then
        new._stuck := new._payload;
        new.run_at := null;
        new._worker := null;
        new._token := null;
      elsif v_event = 'unstuck' then
        new._stuck := null;
        new.run_at := case when new.state in ('ready') then v_now end;
      end if;
      new._applied := false;
      v_hops := 1;
      exit macrostep;
    end if;

    -- One hop.
    if v_hops > 0 then
      v_trail := coalesce(v_trail, '[]') || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
      v_changed := null;
    elsif new._event is null then
      -- What creation set belongs to its own row of the history, which tells no changes.
      v_changed := null;
    end if;
    v_hops := v_hops + 1;
    if v_hops > 100 then
      raise exception using message = 'shop.send_receipt: in state ' || new.state || ' more than 100 transitions followed from one event',
        detail = 'machine shop.send_receipt, workflows.jet line 60', errcode = '54001';
    end if;
    v_hop_event := case when v_hops = 1 then new._event else v_event end;
    v_event := null;
    if v_to is null or (v_to = new.state) then
      if v_delay is not null and new._stuck is null then
        new.run_at := v_now + greatest(v_delay, interval '0 s');
      end if;
      exit macrostep;
    end if;
    new.state := v_to;
    new.entered_at := v_now;
    new.run_at := case when v_to in ('ready') then v_now + greatest(v_delay, interval '0 s') when v_to in ('running') then new.run_at end;
    new._stuck := null;
    v_delay := null;
  end loop;

  if v_trail is not null then
    new._hops := v_trail || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
  end if;
  new._changed := v_changed;
  new._spawns := v_spawns;
  new._seq := new._seq + v_hops;
  new._ended := new.state in ('done', 'abandoned');
  if new.state not in ('running') then
    new._worker := null;
    new._token := null;
  elsif new._event = 'LOCKED_BY_WORKER' and new._applied then
    new._token := new._seq;
    new._was_event := case when old._applied then old._event end;
  end if;
  return new;
end
$jet$;
revoke all on function shop._send_receipt_step() from public;

-- Behind every UPDATE of shop.send_receipt: its history, and the tasks it spawned, in the same transaction.
-- Old and new rows are as many as the statement changed: joined by hash, whatever the caller has set. A spawn has no join
-- but a nested loop: the cost of one that is switched off would call for JIT compilation, 100 ms for a statement of one.
create or replace function shop._send_receipt_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_hashjoin = on set enable_nestloop = off
set jit = off as $jet$
begin
  insert into shop._send_receipt_hops (
    id, seq, at, event, payload, actor, from_state, to_state, entered_at, attempts, run_at,
    changed, hops, was, token, send_key, claimed_state, claimed_entered, claimed_actor)
  select n.id, n._seq, n._at, n._event, case when n._event <> 'LOCKED_BY_WORKER' then n._payload end, n._actor,
    o.state, case when n._applied then n.state end, o.entered_at, o.attempts, o.run_at,
    n._changed, n._hops, null, n._fence, n._send_key,
    o._was_state, case when o._was_state is not null then o._was_entered end, case when o._was_state is not null then o._actor end
  from n join o on o.id = n.id
  -- A claim waits for the dispatch that follows it.
  where n._was_state is null;
  if exists (select from n where n._spawns is not null) then
    perform shop._audit_insert((
      select jsonb_agg(s.value -> 'task' || jsonb_build_object('_at', n._at, '_by', n._actor) || case when not (s.value -> 'root')::boolean then
        jsonb_build_object('_parent', n.id, '_root', n.root, '_depth', n.depth + 1) else '{}' end order by n.id, s.ordinality)
      from n cross join lateral jsonb_array_elements(n._spawns) with ordinality s where s.value ->> 'machine' = 'audit'));
  end if;
  if exists (select from n where n.run_at <= n._at and n._was_state is null and n.state in ('ready')) then
    perform jet.wake('shop.send_receipt');
  end if;

  -- Its handler is still at work somewhere: tell that worker.
  if exists (select from n join o on o.id = n.id where o._worker is not null and n._worker is null and n._fence is null) then
    perform pg_notify('jet', 'shop.send_receipt lost');
  end if;
  return null;
end
$jet$;
revoke all on function shop._send_receipt_log() from public;

create trigger refuse_update before update of
    id, state, attempts, depth, parent, root, created_at, entered_at, run_at, _priority, _seq, _ended, _applied,
    _token, _was_state, _was_entered, _was_event, _changed, _hops, _spawns, _stuck, _creator, _key, email, url
  on shop.send_receipt
  for each statement execute function jet.refuse_write();

create trigger refuse_insert before insert on shop.send_receipt
  for each row when (
    new.state <> 'ready' or new.attempts <> 0 or new._seq <> 1 or new._event is not null or new._worker is not null
    or new._hops is not null or new._spawns is not null or new._was_state is not null or new._stuck is not null)
  execute function jet.refuse_write();

create trigger step before update of _event on shop.send_receipt
  for each row execute function shop._send_receipt_step();

create trigger log after update on shop.send_receipt referencing new table as n old table as o
  for each statement execute function shop._send_receipt_log();

-- Creates one task: the public shop.send_receipt_create and the spawns of other machines come through here.
create or replace function shop._send_receipt_add(
  email text, url text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
  _root bigint, _depth integer, _at timestamptz, _by text) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_id bigint := nextval('jet.task_id');
  v_now timestamptz;
  v_at timestamptz;
  v_actor text := jet.actor();
  v_found bigint;
begin
  if _send_receipt_add.email is null then
    raise exception using message = 'shop.send_receipt needs email', errcode = '22023';
  end if;
  if _send_receipt_add.url is null then
    raise exception using message = 'shop.send_receipt needs url', errcode = '22023';
  end if;

  -- The same idempotency key: the first result again, and nothing is done.
  if _send_receipt_add._key is not null then
    select t.id into v_found from shop.send_receipt t where t._key = _send_receipt_add._key;
    if found then
      return v_found;
    end if;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  v_at := coalesce(_send_receipt_add._at, v_now);
  if _send_receipt_add._key is null then
    insert into shop.send_receipt (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, email, url)
    values (
      v_id, coalesce(_send_receipt_add._root, v_id), _send_receipt_add._parent,
      coalesce(_send_receipt_add._depth, 0), v_at, v_at, v_at, coalesce(_send_receipt_add._priority, 0),
      _send_receipt_add._key, coalesce(_send_receipt_add._by, v_actor), coalesce(_send_receipt_add._by, v_actor),
      greatest(coalesce(_send_receipt_add._run_at, v_at + coalesce(_send_receipt_add._delay, interval '0 s')), v_now),
      _send_receipt_add.email, _send_receipt_add.url);
    if coalesce(_send_receipt_add._delay, interval '0 s') <= interval '0 s' and coalesce(_send_receipt_add._run_at, v_now) <= v_now then
      perform jet.wake('shop.send_receipt');
    end if;
    return v_id;
  end if;
  for v_try in 1 .. 100 loop
    insert into shop.send_receipt (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, email, url)
    values (
      v_id, coalesce(_send_receipt_add._root, v_id), _send_receipt_add._parent,
      coalesce(_send_receipt_add._depth, 0), v_at, v_at, v_at, coalesce(_send_receipt_add._priority, 0),
      _send_receipt_add._key, coalesce(_send_receipt_add._by, v_actor), coalesce(_send_receipt_add._by, v_actor),
      greatest(coalesce(_send_receipt_add._run_at, v_at + coalesce(_send_receipt_add._delay, interval '0 s')), v_now),
      _send_receipt_add.email, _send_receipt_add.url)
    on conflict do nothing;
    if found then
      if coalesce(_send_receipt_add._delay, interval '0 s') <= interval '0 s' and coalesce(_send_receipt_add._run_at, v_now) <= v_now then
        perform jet.wake('shop.send_receipt');
      end if;
      return v_id;
    end if;

    -- The same key, of another session.
    select t.id into v_found from shop.send_receipt t where t._key = _send_receipt_add._key;
    if found then
      return v_found;
    end if;

    -- The one in the way has ended meanwhile.
  end loop;
  raise exception using message = 'shop.send_receipt: the tasks in the way keep changing; try again', errcode = '40001';
end
$jet$;
revoke all on function shop._send_receipt_add(text, text, interval, timestamptz, integer, text, bigint, bigint, integer, timestamptz, text) from public;

-- Creates a task and returns its id (workflows.jet line 60). _delay or _run_at hold it back, a lower _priority goes
-- first, a _key makes the call repeatable.
create or replace function shop.send_receipt_create(
  email text, url text, _delay interval default null, _run_at timestamptz default null,
  _priority integer default null, _key text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
begin
  return shop._send_receipt_add(
    send_receipt_create.email, send_receipt_create.url, send_receipt_create._delay, send_receipt_create._run_at,
    send_receipt_create._priority, send_receipt_create._key, null, null, 0, null, null);
end
$jet$;

-- Creates many tasks from an array of objects, in order. Members _parent, _root, _depth, and _at and _by, the
-- time and the actor of the dispatch, come from spawns only.
create or replace function shop._send_receipt_insert(_tasks jsonb) returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_actor text := jet.actor();
  v_spec constant jsonb := '[{"name": "email", "type": "text", "required": true}, {"name": "url", "type": "text", "required": true}]'::jsonb;
  v_misfit text;
  v_row record;
  v_ids bigint[];
  v_made bigint[];
begin
  if _tasks is null or _tasks = '[]'::jsonb then
    return;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  if not jsonb_path_exists(_tasks, '$[*]._key') then
    return query
      insert into shop.send_receipt (
        id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, email, url)
      select
        x._id, coalesce(x._root, x._id), x._parent, coalesce(x._depth, 0), coalesce(x._at, v_now),
        coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key, coalesce(x._by, v_actor),
        coalesce(x._by, v_actor),
        greatest(coalesce(x._run_at, coalesce(x._at, v_now) + coalesce(x._delay, interval '0 s')), v_now), x.email,
        x.url
      from (
        select nextval('jet.task_id') as _id, x.* from rows from (jsonb_to_recordset(_tasks) as (
        email text, url text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
        _root bigint, _depth integer, _at timestamptz, _by text
      )) with ordinality as x (
        email, url, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)) x
      returning id;
    perform jet.wake('shop.send_receipt');
    return;
  end if;
  v_ids := array(select nextval('jet.task_id') from generate_series(1, jsonb_array_length(_tasks)));
  -- In the order of what must be unique, so that two such calls never wait for each other crosswise.
  with i as (
    insert into shop.send_receipt (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, email, url)
    select
      v_ids[x._ordinal], coalesce(x._root, v_ids[x._ordinal]), x._parent, coalesce(x._depth, 0),
      coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key,
      coalesce(x._by, v_actor), coalesce(x._by, v_actor),
      greatest(coalesce(x._run_at, coalesce(x._at, v_now) + coalesce(x._delay, interval '0 s')), v_now), x.email,
      x.url
    from rows from (jsonb_to_recordset(_tasks) as (
      email text, url text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
      _root bigint, _depth integer, _at timestamptz, _by text
    )) with ordinality as x (
      email, url, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
    where (select t.id from shop.send_receipt t where t._key = x._key) is null
    order by x._key, x._ordinal
    on conflict do nothing
    returning id)
  select coalesce(array_agg(i.id), '{}') into v_made from i;
  if cardinality(v_made) < cardinality(v_ids) then
    -- The same idempotency key: the first result again, and nothing is computed.
    select array_agg(coalesce(t.id, v_ids[e.ordinality]) order by e.ordinality), v_made || array_agg(t.id) filter (where t.id is not null)
      into v_ids, v_made
      from jsonb_array_elements(_tasks) with ordinality e left join shop.send_receipt t on t._key = e.value ->> '_key';
    for v_row in
      select x.* from
        rows from (jsonb_to_recordset(_tasks) as (
          email text, url text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint,
          _root bigint, _depth integer, _at timestamptz, _by text
        )) with ordinality as x (
          email, url, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
      where v_ids[x._ordinal] not in (select unnest(v_made)) order by x._key, x._ordinal
    loop
      v_ids[v_row._ordinal] := shop._send_receipt_add(
        v_row.email, v_row.url, v_row._delay, v_row._run_at, v_row._priority, v_row._key, v_row._parent, v_row._root,
        v_row._depth, v_row._at, v_row._by);
    end loop;
  end if;
  perform jet.wake('shop.send_receipt');
  return query select unnest(v_ids);
exception when data_exception or not_null_violation or check_violation or raise_exception then
  -- Say which field of which task it was.
  select 'task ' || e.n || ' of ' || 'shop.send_receipt' || ': ' || m.misfit into v_misfit
    from jsonb_array_elements(_tasks) with ordinality as e (value, n),
      lateral jet.misfit('it', e.value - array['_delay', '_run_at', '_priority', '_key', '_parent', '_root', '_depth', '_at', '_by']::text[], v_spec) as m (misfit)
    where m.misfit is not null order by e.n limit 1;
  if v_misfit is null then
    raise;
  end if;
  raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'email: text, url: text';
end
$jet$;
revoke all on function shop._send_receipt_insert(jsonb) from public;

-- Creates many tasks at once, as fast as COPY. _tasks: [{params by name, and _delay, _run_at, _priority, _key}]; ids come back in that order.
create or replace function shop.send_receipt_create_many(_tasks jsonb) returns setof bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
declare
  v_known constant text[] := array['email', 'url', '_delay', '_run_at', '_priority', '_key']::text[];
  v_spec constant jsonb := '[{"name": "email", "type": "text", "required": true}, {"name": "url", "type": "text", "required": true}]'::jsonb;
  v_misfit text;
begin
  if _tasks is not null and jsonb_typeof(_tasks) <> 'array' then
    raise exception using errcode = '22023',
      message = 'shop.send_receipt' || ' create_many takes an array of objects, not ' || jsonb_typeof(_tasks);
  end if;

  -- Postgres reads moments and texts out of what is none, so the kinds of such values are looked at here.
  if exists (select from jsonb_array_elements(_tasks) e where jsonb_typeof(e) <> 'object' or (e - v_known) <> '{}'::jsonb
    or jsonb_typeof(e -> 'email') not in ('string', 'null')
    or jsonb_typeof(e -> 'url') not in ('string', 'null')) then
    select 'task ' || e.n || ' of ' || 'shop.send_receipt' || ': ' || m.misfit into v_misfit
      from jsonb_array_elements(_tasks) with ordinality as e (value, n),
        lateral jet.misfit('it', case jsonb_typeof(e.value) when 'object' then e.value - array['_delay', '_run_at', '_priority', '_key']::text[] else e.value end, v_spec) as m (misfit)
      where m.misfit is not null order by e.n limit 1;
    raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'email: text, url: text';
  end if;
  return query select shop._send_receipt_insert(_tasks);
end
$jet$;

-- Sends one event to one task, and runs it to completion in this transaction.
create or replace function shop.send_receipt_send(_id bigint, _event text, _payload jsonb default '{}', _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_fields jsonb := nullif(nullif(send_receipt_send._payload, 'null'), '{}');
  v_misfit text;
  v_sent jet.sent;
begin
  case send_receipt_send._event
    when 'SNOOZE' then v_misfit := jet.misfit('SNOOZE', coalesce(v_fields, '{}'), '[{"name": "delay", "type": "interval", "required": true}]'::jsonb);
    when 'RERUN_TASK' then v_misfit := jet.misfit('RERUN_TASK', coalesce(v_fields, '{}'), '[]'::jsonb);
    when 'RETRY_TASK' then v_misfit := jet.misfit('RETRY_TASK', coalesce(v_fields, '{}'), '[]'::jsonb);
    else
      raise exception using message = 'shop.send_receipt' || ' does not take event ' || coalesce(send_receipt_send._event, 'null'), hint = 'it takes SNOOZE, RERUN_TASK, RETRY_TASK', errcode = '22023';
  end case;
  if v_misfit is not null then
    raise exception using message = v_misfit, errcode = '22023', hint = 'its fields are: ' || case send_receipt_send._event when 'SNOOZE' then 'delay: interval' when 'RERUN_TASK' then 'none' when 'RETRY_TASK' then 'none' end;
  end if;

  perform from shop.send_receipt t where t.id = send_receipt_send._id for no key update;
  if not found then
    raise exception using message = 'shop.send_receipt' || ' has no task ' || coalesce(send_receipt_send._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.send_receipt', errcode = 'P0002';
  end if;
  if send_receipt_send._key is not null then
    select h.to_state is not null, coalesce(h.to_state, h.from_state),
        case when h.to_state is null then 'state ' || h.from_state || ' does not take ' || h.event end
      into v_sent from shop._send_receipt_hops h where h.id = send_receipt_send._id and h.send_key = send_receipt_send._key;
    if found then
      return v_sent;
    end if;
  end if;

  update shop.send_receipt t set _event = send_receipt_send._event, _payload = v_fields, _at = jet.now(), _actor = jet.actor(),
      _send_key = send_receipt_send._key, _fence = null
    where t.id = send_receipt_send._id
    returning t._applied, t.state, case when not t._applied then 'state ' || t.state || ' does not take ' || send_receipt_send._event end into v_sent;
  return v_sent;
end
$jet$;

-- SNOOZE, with typed fields.
create or replace function shop.send_receipt_send_snooze(
  _id bigint, delay interval, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.send_receipt_send(send_receipt_send_snooze._id, 'SNOOZE', jsonb_build_object('delay', send_receipt_send_snooze.delay), send_receipt_send_snooze._key);
end
$jet$;

-- RERUN_TASK, with typed fields.
create or replace function shop.send_receipt_send_rerun_task(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.send_receipt_send(send_receipt_send_rerun_task._id, 'RERUN_TASK', jsonb_build_object(), send_receipt_send_rerun_task._key);
end
$jet$;

-- RETRY_TASK, with typed fields.
create or replace function shop.send_receipt_send_retry_task(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.send_receipt_send(send_receipt_send_retry_task._id, 'RETRY_TASK', jsonb_build_object(), send_receipt_send_retry_task._key);
end
$jet$;

-- A dispatch that failed twice. ERROR(type: "transition") once, where the state takes it; else the task is stuck: it holds
-- no lease, leaves the claim index and keeps its event until shop.send_receipt_retry. _with: the token, where the worker itself came with it.
create or replace function shop._send_receipt_trouble(_task bigint, _failed text, _fields jsonb, _vars jsonb, _error text, _name text, _with bigint) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_error text := _error;
  v_applied boolean;
begin
  if _failed <> 'ERROR' then
    begin
      update shop.send_receipt t set _event = 'ERROR', _payload = jsonb_build_object('type', 'transition', 'message', _error, 'event', _failed),
          _set = null, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task and t.state in ('running') returning t._applied into v_applied;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
  end if;
  if v_applied then
    return 'failed';
  end if;
  update shop.send_receipt t set _event = 'stuck', _at = jet.now(), _actor = _name, _set = null, _send_key = null, _fence = _with,
      _payload = jsonb_build_object('at', jet.now(), 'event', _failed, 'payload', _fields, 'set', _vars, 'token', _with,
        'error', v_error, 'state', t.state)
    where t.id = _task;
  return 'stuck';
end
$jet$;
revoke all on function shop._send_receipt_trouble(bigint, text, jsonb, jsonb, text, text, bigint) from public;

-- One outcome of a batch that could not be applied as a whole.
create or replace function shop._send_receipt_settle(_by bigint, _name text, _task bigint, _with bigint, _outcome text, _fields jsonb, _vars jsonb) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_worker bigint;
  v_token bigint;
  v_fence bigint;
  v_event text;
  v_applied boolean;
  v_error text;
begin
  select t._worker, t._token, t._fence into v_worker, v_token, v_fence from shop.send_receipt t where t.id = _task for no key update;
  if not found then
    return 'missing';
  end if;
  if v_worker = _by and v_token = _with then
    begin
      update shop.send_receipt t set _event = _outcome, _payload = _fields, _set = _vars, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task returning t._event, t._applied into v_event, v_applied;
      return case when not v_applied then 'ignored' when v_event <> _outcome and _outcome not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
    return shop._send_receipt_trouble(_task, _outcome, _fields, _vars, v_error, _name, _with);
  end if;
  if v_fence = _with or exists (select from shop._send_receipt_hops h where h.id = _task and h.token = _with) then
    return 'duplicate';
  end if;
  update shop.send_receipt t set _event = 'late', _payload = jsonb_build_object('event', _outcome, 'token', _with, 'payload', _fields),
      _set = null, _fence = null, _at = jet.now(), _actor = _name, _send_key = null
    where t.id = _task;
  return 'lost';
end
$jet$;
revoke all on function shop._send_receipt_settle(bigint, text, bigint, bigint, text, jsonb, jsonb) from public;

-- Ends the work of a batch: [{"id", "token", "event", "payload", "set"}], each task once. The token is the fence: a worker
-- whose lease was lost cannot finish the task, and its late result goes into the history.
create or replace function shop.send_receipt_resolve(_worker bigint, _outcomes jsonb)
returns table (id bigint, result text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_ids bigint[];
  v_done bigint[];
  v_results text[];
  v_outcome record;
begin
  perform jet.need_read_committed();
  select w.name into v_actor from jet.worker w where w.id = send_receipt_resolve._worker;
  v_actor := coalesce(v_actor, 'worker ' || send_receipt_resolve._worker);
  perform pg_current_xact_id();  -- before the clock: see the mark of claim
  v_now := jet.now();
  v_ids := array(select r.id from jsonb_to_recordset(_outcomes) as r (id bigint));
  begin
    -- In the order of ids, so that two such calls never wait for each other crosswise. With the ids as an array the
    -- rows are reached by key whatever the join, also by a plan that was made while the table was empty.
    with u as (
      update shop.send_receipt t set _event = o.event, _payload = nullif(o.payload, 'null'), _set = nullif(o.set, 'null'), _fence = o.token, _at = v_now, _actor = v_actor, _send_key = null
      from (select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) order by r.id) o
      where t.id = any(v_ids) and t.id = o.id and t._token = o.token and t._worker = send_receipt_resolve._worker
      returning t.id, case when not t._applied then 'ignored'
        when t._event <> o.event and o.event not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end as result)
    select coalesce(array_agg(u.id), '{}'), array_agg(u.result) into v_done, v_results from u;
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;

    -- One of them cannot make the step: each alone.
    v_done := '{}';
  end;
  return query select * from unnest(v_done, v_results);
  if cardinality(v_done) = jsonb_array_length(_outcomes) then
    return;
  end if;
  for v_outcome in select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) where r.id <> all(v_done) order by r.id loop
    id := v_outcome.id;
    result := shop._send_receipt_settle(send_receipt_resolve._worker, v_actor, v_outcome.id, v_outcome.token, v_outcome.event, nullif(v_outcome.payload, 'null'), nullif(v_outcome.set, 'null'));
    return next;
  end loop;
end
$jet$;

-- Claims up to _limit tasks for a worker, by priority, then run_at, then id. The last row has no id: its mark goes into
-- the worker's next claim, which then does not walk the index entries that lie behind. What makes a mark safe:
--   low   nothing claimable lies before it;
--   high  where a former claim came to. low moves up to it once every transaction that was in flight when high was read
--         has ended (all up to that claim's own id), and a look back finds nothing that another session keeps locked.
-- run_at is never set in the past, and every writer has a transaction id before it reads the clock.
create or replace function shop.send_receipt_claim(_worker bigint, _limit integer, _mark jsonb default null)
returns table (id bigint, token bigint, attempt integer, state text, handler text, data json, mark jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_left integer := _limit;
  v_marks jsonb := '{}'::jsonb;
  v_priority integer;
  v_after integer;
  v_known integer;
  v_mark jsonb;
  v_low_at timestamptz;
  v_low_id bigint;
  v_high_at timestamptz;
  v_high_id bigint;
  v_end_at timestamptz;
  v_end_id bigint;
  v_mark_at timestamptz;
  v_settled boolean;
  v_ids bigint[];
  v_next timestamptz;
  v_due timestamptz;
begin
  perform jet.need_read_committed();
  v_actor := jet.worker_name(_worker);
  v_now := jet.now();
  if exists (select from jet.paused p where p.machine = 'shop.send_receipt') then
    return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json, '{}'::jsonb;
    return;
  end if;

  -- A mark from the future: the clock was set back.
  if (_mark ->> 'at')::timestamptz <= v_now then
    v_marks := coalesce(_mark -> 'p', '{}');
  end if;

  while v_left > 0 loop
    -- The next priority: one that the mark knows, or a new one before it.
    select min(k::integer) into v_known from jsonb_object_keys(v_marks) k where v_after is null or k::integer > v_after;
    v_priority := null;
    select t._priority into v_priority from shop.send_receipt t
      where t.run_at is not null and t._priority > coalesce(v_after::bigint, -2147483649)
        and t._priority < coalesce(v_known::bigint, 2147483648)
      order by t._priority, t.run_at, t.id limit 1;
    v_priority := coalesce(v_priority, v_known);
    exit when v_priority is null;
    v_after := v_priority;

    v_mark := v_marks -> (v_priority::text);
    v_low_at := coalesce((v_mark ->> 0)::timestamptz, '-infinity');
    v_low_id := coalesce((v_mark ->> 1)::bigint, 0);
    v_high_at := (v_mark ->> 2)::timestamptz;
    v_high_id := (v_mark ->> 3)::bigint;
    v_mark_at := v_high_at;
    v_settled := pg_snapshot_xmin(pg_current_snapshot()) > (v_mark ->> 4)::xid8;

    v_ids := null;
    select array_agg(c.id), max(c.run_at) into v_ids, v_end_at from (
      select t.id, t.run_at from shop.send_receipt t
      where t.run_at is not null and t._priority = v_priority and t.run_at <= v_now and (t.run_at, t.id) > (v_low_at, v_low_id)
        and t.state in ('ready')
      order by t.run_at, t.id limit v_left for no key update skip locked) c;
    if v_ids is null then
      v_end_at := v_now;
      v_end_id := 9223372036854775807;
    else
      return query
        update shop.send_receipt t set _event = 'LOCKED_BY_WORKER', _at = v_now, _actor = v_actor, _worker = send_receipt_claim._worker, _fence = null, _send_key = null, _set = null
        where t.id = any(v_ids)
        returning t.id, t._token, t.attempts, t.state, U&'shop.mail!003Asend' uescape '!', json_build_object('params', json_build_object('email', t.email, 'url', t.url), 'vars', '{}'::json, 'event', case when t._was_event is not null then json_build_object('name', t._was_event, 'payload', t._payload) end), null::jsonb;
      if cardinality(v_ids) < v_left then
        v_end_at := v_now;
        v_end_id := 9223372036854775807;
      else
        v_end_id := v_ids[cardinality(v_ids)];
      end if;
      v_left := v_left - cardinality(v_ids);
    end if;

    if v_settled then
      -- Up to high, or to where this claim came, if that is less; but before what is still claimable there.
      if (v_high_at, v_high_id) > (v_end_at, v_end_id) then
        v_high_at := v_end_at;
        v_high_id := v_end_id;
      end if;
      v_due := null;
      select t.run_at, t.id - 1 into v_due, v_low_id from shop.send_receipt t
        where t.run_at is not null and t._priority = v_priority and (t.run_at, t.id) > (v_low_at, v_low_id)
          and (t.run_at, t.id) <= (v_high_at, v_high_id) and t.state in ('ready')
        order by t.run_at, t.id limit 1;
      v_low_at := coalesce(v_due, v_high_at);
      v_low_id := case when v_due is null then v_high_id else v_low_id end;
    end if;

    -- A snapshot's xmax is no bound of what is in flight: ids given out and not ended lie above it. Our own id is one,
    -- taken after the clock was read; a look that found nothing spends one a second at most.
    if v_mark is null or v_settled and (v_ids is not null or v_mark_at < v_now - interval '1 s') then
      v_marks := jsonb_set(v_marks, array[v_priority::text], jsonb_build_array(
        v_low_at, v_low_id, v_end_at, v_end_id, pg_current_xact_id()::text));
    end if;

    if v_left > 0 then
      select t.run_at into v_due from shop.send_receipt t
        where t.run_at is not null and t._priority = v_priority and t.run_at > v_now order by t.run_at, t.id limit 1;
      v_next := least(v_next, v_due);
    end if;
  end loop;

  return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json,
    jsonb_build_object('at', v_now, 'p', v_marks, 'next', case when v_left > 0 then extract(epoch from v_next - v_now) end);
end
$jet$;

-- Which of these tasks a worker no longer holds: it stops their handlers.
create or replace function shop.send_receipt_lost(_worker bigint, _ids bigint[], _tokens bigint[]) returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $jet$
  select h.id from unnest(_ids, _tokens) as h (id, token)
  where not exists (select from shop.send_receipt t where t.id = h.id and t._worker = send_receipt_lost._worker and t._token = h.token)
$jet$;

-- Ends the leases of dead workers (LEASE_EXPIRED), and runs past their timeout (TIMEOUT).
create or replace function shop._send_receipt_expire(_dead bigint[], _max integer) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_id bigint;
  v_ids bigint[];
  v_event text;
  v_error text;
begin
  v_now := jet.now();
  v_ids := array(
    select t.id from shop.send_receipt t
    where t.run_at is not null and t.run_at <= v_now and t.state in ('running')
      and (t._worker = any(_dead))
    order by t._priority, t.run_at, t.id limit _max for no key update skip locked);
  if v_ids = '{}' then
    return 0;
  end if;
  begin
    update shop.send_receipt t set _event = 'LEASE_EXPIRED', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
      where t.id = any(v_ids);
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;
    foreach v_id in array v_ids loop
      begin
        update shop.send_receipt t set _event = 'LEASE_EXPIRED', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
          where t.id = v_id;
      exception when others then
        if jet.is_servers_trouble(sqlstate) then
          raise;
        end if;
        get stacked diagnostics v_error = message_text;
        select 'LEASE_EXPIRED' into v_event from shop.send_receipt t where t.id = v_id;
        perform shop._send_receipt_trouble(v_id, v_event, null, null, v_error, 'jet.tick', null);
      end;
    end loop;
  end;
  return cardinality(v_ids);
end
$jet$;
revoke all on function shop._send_receipt_expire(bigint[], integer) from public;

-- Frees a stuck task and dispatches again what it was stuck on.
create or replace function shop.send_receipt_retry(_id bigint) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_stuck jsonb;
  v_sent jet.sent;
begin
  select t._stuck, t.state into v_stuck, v_sent.state from shop.send_receipt t where t.id = send_receipt_retry._id for no key update;
  if not found then
    raise exception using message = 'shop.send_receipt' || ' has no task ' || coalesce(send_receipt_retry._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.send_receipt', errcode = 'P0002';
  end if;
  if v_stuck is null then
    v_sent.applied := false;
    v_sent.reason := 'it is not stuck';
    return v_sent;
  end if;
  update shop.send_receipt t set _event = 'unstuck', _payload = null, _set = null, _fence = null, _send_key = null, _at = jet.now(), _actor = jet.actor()
    where t.id = send_receipt_retry._id;
  if v_stuck ->> 'event' <> 'LOCKED_BY_WORKER' then
    -- With the fence of then, a worker's outcome that no clause takes is a failure still.
    update shop.send_receipt t set _event = v_stuck ->> 'event', _payload = nullif(v_stuck -> 'payload', 'null'), _set = nullif(v_stuck -> 'set', 'null'),
        _fence = (v_stuck ->> 'token')::bigint, _at = jet.now()
      where t.id = send_receipt_retry._id;
  end if;
  select true, t.state, null into v_sent from shop.send_receipt t where t.id = send_receipt_retry._id;
  return v_sent;
end
$jet$;

-- The history as a reader wants it: one row a hop. event and from_state are null for the creation; to_state is null for
-- an event that the state did not take.
create or replace view shop.send_receipt_history (id, seq, at, event, payload, from_state, to_state, changed, actor) as
  select t.id, 1, t.created_at, null::text, null::jsonb, null::text,
    coalesce((select coalesce(h.claimed_state, h.from_state) from shop._send_receipt_hops h where h.id = t.id order by h.seq limit 1), t._was_state, t.state),
    null::jsonb, t._creator
  from shop.send_receipt t
  union all
  -- The claim that the next dispatch was written with.
  select h.id, h.seq - coalesce(jsonb_array_length(h.hops), 1), h.entered_at, 'LOCKED_BY_WORKER', null, h.claimed_state, h.from_state,
    null, h.claimed_actor
  from shop._send_receipt_hops h where h.claimed_state is not null
  union all
  select h.id, h.seq, h.at, h.event, h.payload, h.from_state, h.to_state, h.changed, h.actor
  from shop._send_receipt_hops h where h.hops is null
  union all
  select h.id, (h.seq - jsonb_array_length(h.hops) + hop.n)::integer, h.at, hop.value ->> 'event', case hop.n when 1 then h.payload end,
    case hop.n when 1 then h.from_state else h.hops -> (hop.n::integer - 2) ->> 'to' end, hop.value ->> 'to',
    nullif(hop.value -> 'changed', 'null'::jsonb), h.actor
  from shop._send_receipt_hops h cross join lateral jsonb_array_elements(h.hops) with ordinality as hop (value, n)
  where h.hops is not null
  union all
  -- A claim that nothing has followed yet.
  select t.id, t._seq, t.entered_at, 'LOCKED_BY_WORKER', null, t._was_state, t.state, null, t._actor
  from shop.send_receipt t where t._was_state is not null;

-- shop.send_receipt as it stood at a moment: every task at rest after its last dispatch up to then.
create or replace function shop.send_receipt_at(_at timestamptz)
returns table (id bigint, state text, attempts integer, depth integer, parent bigint, root bigint, created_at timestamptz, entered_at timestamptz, run_at timestamptz, email text, url text)
language sql stable set search_path = pg_catalog, pg_temp as $jet$
  select t.id,
    case when t._at <= $1 then t.state when h.id is null then t._was_state when h.claimed_state is null or h.entered_at <= $1 then h.from_state else h.claimed_state end,
    case when t._at <= $1 then t.attempts when h.id is null then t.attempts - case when t._was_state in ('ready') then 1 else 0 end
      when h.claimed_state is null or h.entered_at <= $1 then h.attempts else h.attempts - case when h.claimed_state in ('ready') then 1 else 0 end end,
    t.depth, t.parent, t.root, t.created_at,
    case when t._at <= $1 then t.entered_at when h.id is null then t._was_entered when h.claimed_state is null or h.entered_at <= $1 then h.entered_at else h.claimed_entered end,
    case when t._at <= $1 or h.id is null then t.run_at else h.run_at end,
    t.email,
    t.url

  from shop.send_receipt t
  -- The first dispatch after that moment tells how the task stood before it,
  left join lateral (
    select h.* from shop._send_receipt_hops h where t._at > $1 and h.id = t.id and h.at > $1 order by h.seq limit 1) h on true
  -- and the first one that changed vars, what they were.
  left join lateral (
    select h.was from shop._send_receipt_hops h where t._at > $1 and h.id = t.id and h.at > $1 and h.was is not null order by h.seq limit 1) w on true
  where t.created_at <= $1

$jet$;

insert into jet.machine (module, name, hash, manifest)
values ('shop', 'send_receipt', '614420341a3f519f69d121425bbc531faa90b84db12f48d6a8d604aa2d447194',
  U&'{"params": [{"name": "email", "type": "text", "optional": false}, {"name": "url", "type": "text", "optional": false}], "vars": [], "enums": {"tier": ["free", "pro"]}, "events": {"SNOOZE": [{"name": "delay", "type": "interval", "optional": false}], "RERUN_TASK": [], "RETRY_TASK": []}, "initial": "ready", "states": ["ready", "running", "failed", "done", "abandoned"], "final": ["done"], "failure": ["abandoned"], "claimable": {"ready": "running"}, "work": {"running": {"name": "running", "run": "shop.mail!003Asend", "timeout": false, "outcomes": {"SUCCESS": [], "ERROR": [{"name": "type", "type": "text", "optional": false}, {"name": "message", "type": "text", "optional": false}, {"name": "traceback", "type": "text", "optional": false}], "RELEASED": [], "SNOOZE": [{"name": "delay", "type": "interval", "optional": false}]}}}}' uescape '!'::jsonb)
on conflict (module, name) do update set hash = excluded.hash, manifest = excluded.manifest;

-- One row a task of machine shop.audit (workflows.jet line 65). Columns that begin with _ are the engine's.
create table shop.audit (
  id bigint not null,
  state text collate "C" not null default 'ready',
  attempts integer not null default 0,
  depth integer not null default 0,
  parent bigint,
  root bigint not null,
  created_at timestamptz not null,
  entered_at timestamptz not null,
  run_at timestamptz,
  what text not null,
  _priority integer not null default 0,
  _at timestamptz not null,
  _seq integer not null default 1,
  _ended boolean not null default false,
  _applied boolean not null default true,
  _event text collate "C",
  _payload jsonb,
  _set jsonb,
  _actor text not null,
  _send_key text collate "C",
  _worker bigint,
  _token bigint,
  _fence bigint,
  _was_state text collate "C",
  _was_entered timestamptz,
  _was_event text collate "C",
  _changed jsonb,
  _hops jsonb,
  _spawns jsonb,
  _stuck jsonb,
  _creator text not null,
  _key text collate "C",
  constraint audit_state_check check (state in ('ready', 'running', 'failed', 'done', 'abandoned')),
  constraint audit_pkey primary key (id)
) with (fillfactor = 45);

create index audit_claim on shop.audit (_priority, run_at, id) where run_at is not null;

create unique index audit_key on shop.audit (_key) where _key is not null;

create index audit_stuck on shop.audit (id) where _stuck is not null;

-- What happened to the tasks of shop.audit, one row a dispatch, append-only; shop.audit_history unfolds it to one row a hop.
-- from_state, entered_at, attempts, run_at and was (its vars, where they changed) tell how the task stood before, which is
-- what shop.audit_at reads. A claim is written with the dispatch that follows it: claimed_*.
create table shop._audit_hops (
  id bigint not null,
  seq integer not null,
  at timestamptz not null,
  event text collate "C",
  payload jsonb,
  actor text not null,
  from_state text collate "C" not null,
  to_state text collate "C",
  entered_at timestamptz not null,
  attempts integer not null,
  run_at timestamptz,
  changed jsonb,
  hops jsonb,
  was jsonb,
  token bigint,
  send_key text collate "C",
  claimed_state text collate "C",
  claimed_entered timestamptz,
  claimed_actor text
);

create index _audit_hops_id on shop._audit_hops (id, seq);

create unique index _audit_hops_key on shop._audit_hops (id, send_key) where send_key is not null;

-- The machine itself. An UPDATE that sets _event sends one event to a task; this trigger runs it to completion: the clause,
-- its effects, exits, the new state, enters, and on until the task rests. What it leaves in _changed, _hops and _spawns
-- the statement trigger behind it writes to the history and turns into tasks.
create or replace function shop._audit_step() returns trigger
language plpgsql as $jet$
declare
  v_now timestamptz := new._at;
  v_event text := new._event;
  v_to text;
  v_raised text;
  v_unfit text;
  v_hop_event text;
  v_taken boolean := false;
  v_delay interval;
  v_changed jsonb;
  v_spawns jsonb;
  v_trail jsonb;
  v_hops integer := 0;
begin
  -- One dispatch has one time, later than the last one's.
  if old._at is not null and v_now <= old._at then
    v_now := greatest(case when v_now = old._at then jet.now() else v_now end, old._at + interval '1 us');
    new._at := v_now;
  end if;

  -- workflows.jet line 65: a worker takes it. This changes nothing that an index mentions; its history comes with the next hop.
  if v_event = 'LOCKED_BY_WORKER' and old.state = 'ready' then
    new.state := 'running';
    new.attempts := old.attempts + 1;
    new.entered_at := v_now;
    new._seq := old._seq + 1;
    new._token := new._seq;
    new._applied := true;
    new._was_state := old.state;
    new._was_entered := old.entered_at;
    new._was_event := case when old._applied then old._event end;
    return new;
  end if;

  -- workflows.jet line 65: its work is done, and nothing is to be decided or cleared away.
  if v_event = 'SUCCESS' and old.state = 'running' and old._applied
    and num_nonnulls(new._set, old._changed, old._hops, old._spawns, old._stuck) = 0
  then
    new.state := 'done';
    new.entered_at := v_now;
    new.run_at := null;
    new._seq := old._seq + 1;
    new._ended := true;
    new._worker := null;
    new._token := null;
    new._was_state := null;
    return new;
  end if;
  new._applied := true;
  new._was_state := null;
  new._changed := null;
  new._hops := null;
  new._spawns := null;
  if new._set is not null then
    -- task.set of the handler, before the guards of its outcome; a failed run leaves no trace.
    if v_event <> 'ERROR' then
      null;
    end if;
    new._set := null;
  end if;
  <<macrostep>>
  loop
    v_to := null;
    v_raised := null;
    <<clause>>
    begin
      if v_event is not null then
        v_taken := true;
        if new.state = 'running' then
          if v_event = 'SUCCESS' then
            -- workflows.jet line 65
            v_to := 'done';
          elsif v_event = 'ERROR' then
            -- workflows.jet line 65
            v_to := 'failed';
          elsif v_event = 'RELEASED' then
            -- workflows.jet line 65
            new.attempts := new.attempts - 1;
            v_to := 'ready';
          elsif v_event = 'SNOOZE' then
            if new._fence is not null and (new._payload ->> 'delay') is null then
              v_unfit := 'SNOOZE needs field ''delay'' (interval)';
              v_taken := false;
            else
              -- workflows.jet line 65
              new.attempts := new.attempts - 1;
              v_to := 'ready';
              v_delay := (new._payload ->> 'delay')::interval;
            end if;
          else
            v_taken := false;
          end if;
        elsif new.state = 'ready' then
          if v_event = 'LOCKED_BY_WORKER' then
            -- workflows.jet line 65
            new.attempts := new.attempts + 1;
            v_to := 'running';
          else
            v_taken := false;
          end if;
        elsif new.state = 'done' then
          if v_event = 'RERUN_TASK' then
            -- workflows.jet line 65
            new.attempts := 0;
            v_to := 'ready';
          else
            v_taken := false;
          end if;
        elsif new.state = 'abandoned' then
          if v_event = 'RETRY_TASK' then
            -- workflows.jet line 65
            new.attempts := 0;
            v_to := 'ready';
          else
            v_taken := false;
          end if;
        else
          v_taken := false;
        end if;
      else
        if new.state = 'failed' then
          -- workflows.jet line 65
          if new.attempts < 1 then
            v_to := 'ready';
            exit clause;
          end if;

          -- workflows.jet line 65
          v_to := 'abandoned';
          exit clause;
        end if;
      end if;
    end clause;

    if v_raised is not null then
      v_event := v_raised;
      continue macrostep;
    end if;
    if v_event is null then
      exit macrostep when v_to is null;
    elsif not v_taken then
      -- A worker's outcome that no clause takes is a failure.
      if v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') or (new._fence is not null and v_event not in ('ERROR', 'stuck')) then
        new._payload := jsonb_build_object(
          'type', case when v_event in ('RELEASED', 'TIMEOUT', 'LEASE_EXPIRED') then v_event when v_unfit is not null then 'payload' else 'unhandled' end,
          'message', case v_event when 'RELEASED' then 'the worker handed the task back' when 'TIMEOUT' then 'the handler ran out of time'
            when 'LEASE_EXPIRED' then 'the worker''s lease ran out'
            else coalesce(v_unfit, 'the handler answered ' || v_event || ', which state ' || new.state || ' does not take') end);
        v_event := 'ERROR';
        new._event := v_event;
        continue macrostep;
      end if;

      -- The engine's own notes are in lower case, as no event is.
      if v_event = 'stuck' then
        new._stuck := new._payload;
        new.run_at := null;
        new._worker := null;
        new._token := null;
      elsif v_event = 'unstuck' then
        new._stuck := null;
        new.run_at := case when new.state in ('ready') then v_now end;
      end if;
      new._applied := false;
      v_hops := 1;
      exit macrostep;
    end if;

    -- One hop.
    if v_hops > 0 then
      v_trail := coalesce(v_trail, '[]') || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
      v_changed := null;
    elsif new._event is null then
      -- What creation set belongs to its own row of the history, which tells no changes.
      v_changed := null;
    end if;
    v_hops := v_hops + 1;
    if v_hops > 100 then
      raise exception using message = 'shop.audit: in state ' || new.state || ' more than 100 transitions followed from one event',
        detail = 'machine shop.audit, workflows.jet line 65', errcode = '54001';
    end if;
    v_hop_event := case when v_hops = 1 then new._event else v_event end;
    v_event := null;
    if v_to is null or (v_to = new.state) then
      if v_delay is not null and new._stuck is null then
        new.run_at := v_now + greatest(v_delay, interval '0 s');
      end if;
      exit macrostep;
    end if;
    new.state := v_to;
    new.entered_at := v_now;
    new.run_at := case when v_to in ('ready') then v_now + greatest(v_delay, interval '0 s') when v_to in ('running') then new.run_at end;
    new._stuck := null;
    v_delay := null;
  end loop;

  if v_trail is not null then
    new._hops := v_trail || jsonb_build_object('event', v_hop_event, 'to', new.state, 'changed', v_changed);
  end if;
  new._changed := v_changed;
  new._spawns := v_spawns;
  new._seq := new._seq + v_hops;
  new._ended := new.state in ('done', 'abandoned');
  if new.state not in ('running') then
    new._worker := null;
    new._token := null;
  elsif new._event = 'LOCKED_BY_WORKER' and new._applied then
    new._token := new._seq;
    new._was_event := case when old._applied then old._event end;
  end if;
  return new;
end
$jet$;
revoke all on function shop._audit_step() from public;

-- Behind every UPDATE of shop.audit: its history, and the tasks it spawned, in the same transaction.
-- Old and new rows are as many as the statement changed: joined by hash, whatever the caller has set. A spawn has no join
-- but a nested loop: the cost of one that is switched off would call for JIT compilation, 100 ms for a statement of one.
create or replace function shop._audit_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_hashjoin = on set enable_nestloop = off
set jit = off as $jet$
begin
  insert into shop._audit_hops (
    id, seq, at, event, payload, actor, from_state, to_state, entered_at, attempts, run_at,
    changed, hops, was, token, send_key, claimed_state, claimed_entered, claimed_actor)
  select n.id, n._seq, n._at, n._event, case when n._event <> 'LOCKED_BY_WORKER' then n._payload end, n._actor,
    o.state, case when n._applied then n.state end, o.entered_at, o.attempts, o.run_at,
    n._changed, n._hops, null, n._fence, n._send_key,
    o._was_state, case when o._was_state is not null then o._was_entered end, case when o._was_state is not null then o._actor end
  from n join o on o.id = n.id
  -- A claim waits for the dispatch that follows it.
  where n._was_state is null;
  if exists (select from n where n.run_at <= n._at and n._was_state is null and n.state in ('ready')) then
    perform jet.wake('shop.audit');
  end if;

  -- Its handler is still at work somewhere: tell that worker.
  if exists (select from n join o on o.id = n.id where o._worker is not null and n._worker is null and n._fence is null) then
    perform pg_notify('jet', 'shop.audit lost');
  end if;
  return null;
end
$jet$;
revoke all on function shop._audit_log() from public;

create trigger refuse_update before update of
    id, state, attempts, depth, parent, root, created_at, entered_at, run_at, _priority, _seq, _ended, _applied,
    _token, _was_state, _was_entered, _was_event, _changed, _hops, _spawns, _stuck, _creator, _key, what
  on shop.audit
  for each statement execute function jet.refuse_write();

create trigger refuse_insert before insert on shop.audit
  for each row when (
    new.state <> 'ready' or new.attempts <> 0 or new._seq <> 1 or new._event is not null or new._worker is not null
    or new._hops is not null or new._spawns is not null or new._was_state is not null or new._stuck is not null)
  execute function jet.refuse_write();

create trigger step before update of _event on shop.audit
  for each row execute function shop._audit_step();

create trigger log after update on shop.audit referencing new table as n old table as o
  for each statement execute function shop._audit_log();

-- Creates one task: the public shop.audit_create and the spawns of other machines come through here.
create or replace function shop._audit_add(
  what text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint, _root bigint,
  _depth integer, _at timestamptz, _by text) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_id bigint := nextval('jet.task_id');
  v_now timestamptz;
  v_at timestamptz;
  v_actor text := jet.actor();
  v_found bigint;
begin
  if _audit_add.what is null then
    raise exception using message = 'shop.audit needs what', errcode = '22023';
  end if;

  -- The same idempotency key: the first result again, and nothing is done.
  if _audit_add._key is not null then
    select t.id into v_found from shop.audit t where t._key = _audit_add._key;
    if found then
      return v_found;
    end if;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  v_at := coalesce(_audit_add._at, v_now);
  if _audit_add._key is null then
    insert into shop.audit (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, what)
    values (
      v_id, coalesce(_audit_add._root, v_id), _audit_add._parent, coalesce(_audit_add._depth, 0), v_at, v_at, v_at,
      coalesce(_audit_add._priority, 0), _audit_add._key, coalesce(_audit_add._by, v_actor),
      coalesce(_audit_add._by, v_actor),
      greatest(coalesce(_audit_add._run_at, v_at + coalesce(_audit_add._delay, interval '0 s')), v_now),
      _audit_add.what);
    if coalesce(_audit_add._delay, interval '0 s') <= interval '0 s' and coalesce(_audit_add._run_at, v_now) <= v_now then
      perform jet.wake('shop.audit');
    end if;
    return v_id;
  end if;
  for v_try in 1 .. 100 loop
    insert into shop.audit (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, what)
    values (
      v_id, coalesce(_audit_add._root, v_id), _audit_add._parent, coalesce(_audit_add._depth, 0), v_at, v_at, v_at,
      coalesce(_audit_add._priority, 0), _audit_add._key, coalesce(_audit_add._by, v_actor),
      coalesce(_audit_add._by, v_actor),
      greatest(coalesce(_audit_add._run_at, v_at + coalesce(_audit_add._delay, interval '0 s')), v_now),
      _audit_add.what)
    on conflict do nothing;
    if found then
      if coalesce(_audit_add._delay, interval '0 s') <= interval '0 s' and coalesce(_audit_add._run_at, v_now) <= v_now then
        perform jet.wake('shop.audit');
      end if;
      return v_id;
    end if;

    -- The same key, of another session.
    select t.id into v_found from shop.audit t where t._key = _audit_add._key;
    if found then
      return v_found;
    end if;

    -- The one in the way has ended meanwhile.
  end loop;
  raise exception using message = 'shop.audit: the tasks in the way keep changing; try again', errcode = '40001';
end
$jet$;
revoke all on function shop._audit_add(text, interval, timestamptz, integer, text, bigint, bigint, integer, timestamptz, text) from public;

-- Creates a task and returns its id (workflows.jet line 65). _delay or _run_at hold it back, a lower _priority goes
-- first, a _key makes the call repeatable.
create or replace function shop.audit_create(
  what text, _delay interval default null, _run_at timestamptz default null, _priority integer default null,
  _key text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
begin
  return shop._audit_add(
    audit_create.what, audit_create._delay, audit_create._run_at, audit_create._priority, audit_create._key, null,
    null, 0, null, null);
end
$jet$;

-- Creates many tasks from an array of objects, in order. Members _parent, _root, _depth, and _at and _by, the
-- time and the actor of the dispatch, come from spawns only.
create or replace function shop._audit_insert(_tasks jsonb) returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_actor text := jet.actor();
  v_spec constant jsonb := '[{"name": "what", "type": "text", "required": true}]'::jsonb;
  v_misfit text;
  v_row record;
  v_ids bigint[];
  v_made bigint[];
begin
  if _tasks is null or _tasks = '[]'::jsonb then
    return;
  end if;

  -- A transaction id before the clock: a claim's mark must never pass a task that is not committed yet.
  perform pg_current_xact_id();
  v_now := jet.now();
  if not jsonb_path_exists(_tasks, '$[*]._key') then
    return query
      insert into shop.audit (
        id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, what)
      select
        x._id, coalesce(x._root, x._id), x._parent, coalesce(x._depth, 0), coalesce(x._at, v_now),
        coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key, coalesce(x._by, v_actor),
        coalesce(x._by, v_actor),
        greatest(coalesce(x._run_at, coalesce(x._at, v_now) + coalesce(x._delay, interval '0 s')), v_now), x.what
      from (
        select nextval('jet.task_id') as _id, x.* from rows from (jsonb_to_recordset(_tasks) as (
        what text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint, _root bigint,
        _depth integer, _at timestamptz, _by text
      )) with ordinality as x (
        what, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)) x
      returning id;
    perform jet.wake('shop.audit');
    return;
  end if;
  v_ids := array(select nextval('jet.task_id') from generate_series(1, jsonb_array_length(_tasks)));
  -- In the order of what must be unique, so that two such calls never wait for each other crosswise.
  with i as (
    insert into shop.audit (
      id, root, parent, depth, created_at, entered_at, _at, _priority, _key, _actor, _creator, run_at, what)
    select
      v_ids[x._ordinal], coalesce(x._root, v_ids[x._ordinal]), x._parent, coalesce(x._depth, 0),
      coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._at, v_now), coalesce(x._priority, 0), x._key,
      coalesce(x._by, v_actor), coalesce(x._by, v_actor),
      greatest(coalesce(x._run_at, coalesce(x._at, v_now) + coalesce(x._delay, interval '0 s')), v_now), x.what
    from rows from (jsonb_to_recordset(_tasks) as (
      what text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint, _root bigint,
      _depth integer, _at timestamptz, _by text
    )) with ordinality as x (
      what, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
    where (select t.id from shop.audit t where t._key = x._key) is null
    order by x._key, x._ordinal
    on conflict do nothing
    returning id)
  select coalesce(array_agg(i.id), '{}') into v_made from i;
  if cardinality(v_made) < cardinality(v_ids) then
    -- The same idempotency key: the first result again, and nothing is computed.
    select array_agg(coalesce(t.id, v_ids[e.ordinality]) order by e.ordinality), v_made || array_agg(t.id) filter (where t.id is not null)
      into v_ids, v_made
      from jsonb_array_elements(_tasks) with ordinality e left join shop.audit t on t._key = e.value ->> '_key';
    for v_row in
      select x.* from
        rows from (jsonb_to_recordset(_tasks) as (
          what text, _delay interval, _run_at timestamptz, _priority integer, _key text, _parent bigint, _root bigint,
          _depth integer, _at timestamptz, _by text
        )) with ordinality as x (
          what, _delay, _run_at, _priority, _key, _parent, _root, _depth, _at, _by, _ordinal)
      where v_ids[x._ordinal] not in (select unnest(v_made)) order by x._key, x._ordinal
    loop
      v_ids[v_row._ordinal] := shop._audit_add(
        v_row.what, v_row._delay, v_row._run_at, v_row._priority, v_row._key, v_row._parent, v_row._root,
        v_row._depth, v_row._at, v_row._by);
    end loop;
  end if;
  perform jet.wake('shop.audit');
  return query select unnest(v_ids);
exception when data_exception or not_null_violation or check_violation or raise_exception then
  -- Say which field of which task it was.
  select 'task ' || e.n || ' of ' || 'shop.audit' || ': ' || m.misfit into v_misfit
    from jsonb_array_elements(_tasks) with ordinality as e (value, n),
      lateral jet.misfit('it', e.value - array['_delay', '_run_at', '_priority', '_key', '_parent', '_root', '_depth', '_at', '_by']::text[], v_spec) as m (misfit)
    where m.misfit is not null order by e.n limit 1;
  if v_misfit is null then
    raise;
  end if;
  raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'what: text';
end
$jet$;
revoke all on function shop._audit_insert(jsonb) from public;

-- Creates many tasks at once, as fast as COPY. _tasks: [{params by name, and _delay, _run_at, _priority, _key}]; ids come back in that order.
create or replace function shop.audit_create_many(_tasks jsonb) returns setof bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
declare
  v_known constant text[] := array['what', '_delay', '_run_at', '_priority', '_key']::text[];
  v_spec constant jsonb := '[{"name": "what", "type": "text", "required": true}]'::jsonb;
  v_misfit text;
begin
  if _tasks is not null and jsonb_typeof(_tasks) <> 'array' then
    raise exception using errcode = '22023',
      message = 'shop.audit' || ' create_many takes an array of objects, not ' || jsonb_typeof(_tasks);
  end if;

  -- Postgres reads moments and texts out of what is none, so the kinds of such values are looked at here.
  if exists (select from jsonb_array_elements(_tasks) e where jsonb_typeof(e) <> 'object' or (e - v_known) <> '{}'::jsonb
    or jsonb_typeof(e -> 'what') not in ('string', 'null')) then
    select 'task ' || e.n || ' of ' || 'shop.audit' || ': ' || m.misfit into v_misfit
      from jsonb_array_elements(_tasks) with ordinality as e (value, n),
        lateral jet.misfit('it', case jsonb_typeof(e.value) when 'object' then e.value - array['_delay', '_run_at', '_priority', '_key']::text[] else e.value end, v_spec) as m (misfit)
      where m.misfit is not null order by e.n limit 1;
    raise exception using message = v_misfit, errcode = '22023', hint = 'its params are: ' || 'what: text';
  end if;
  return query select shop._audit_insert(_tasks);
end
$jet$;

-- Sends one event to one task, and runs it to completion in this transaction.
create or replace function shop.audit_send(_id bigint, _event text, _payload jsonb default '{}', _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_fields jsonb := nullif(nullif(audit_send._payload, 'null'), '{}');
  v_misfit text;
  v_sent jet.sent;
begin
  case audit_send._event
    when 'SNOOZE' then v_misfit := jet.misfit('SNOOZE', coalesce(v_fields, '{}'), '[{"name": "delay", "type": "interval", "required": true}]'::jsonb);
    when 'RERUN_TASK' then v_misfit := jet.misfit('RERUN_TASK', coalesce(v_fields, '{}'), '[]'::jsonb);
    when 'RETRY_TASK' then v_misfit := jet.misfit('RETRY_TASK', coalesce(v_fields, '{}'), '[]'::jsonb);
    else
      raise exception using message = 'shop.audit' || ' does not take event ' || coalesce(audit_send._event, 'null'), hint = 'it takes SNOOZE, RERUN_TASK, RETRY_TASK', errcode = '22023';
  end case;
  if v_misfit is not null then
    raise exception using message = v_misfit, errcode = '22023', hint = 'its fields are: ' || case audit_send._event when 'SNOOZE' then 'delay: interval' when 'RERUN_TASK' then 'none' when 'RETRY_TASK' then 'none' end;
  end if;

  perform from shop.audit t where t.id = audit_send._id for no key update;
  if not found then
    raise exception using message = 'shop.audit' || ' has no task ' || coalesce(audit_send._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.audit', errcode = 'P0002';
  end if;
  if audit_send._key is not null then
    select h.to_state is not null, coalesce(h.to_state, h.from_state),
        case when h.to_state is null then 'state ' || h.from_state || ' does not take ' || h.event end
      into v_sent from shop._audit_hops h where h.id = audit_send._id and h.send_key = audit_send._key;
    if found then
      return v_sent;
    end if;
  end if;

  update shop.audit t set _event = audit_send._event, _payload = v_fields, _at = jet.now(), _actor = jet.actor(),
      _send_key = audit_send._key, _fence = null
    where t.id = audit_send._id
    returning t._applied, t.state, case when not t._applied then 'state ' || t.state || ' does not take ' || audit_send._event end into v_sent;
  return v_sent;
end
$jet$;

-- SNOOZE, with typed fields.
create or replace function shop.audit_send_snooze(
  _id bigint, delay interval, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.audit_send(audit_send_snooze._id, 'SNOOZE', jsonb_build_object('delay', audit_send_snooze.delay), audit_send_snooze._key);
end
$jet$;

-- RERUN_TASK, with typed fields.
create or replace function shop.audit_send_rerun_task(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.audit_send(audit_send_rerun_task._id, 'RERUN_TASK', jsonb_build_object(), audit_send_rerun_task._key);
end
$jet$;

-- RETRY_TASK, with typed fields.
create or replace function shop.audit_send_retry_task(
  _id bigint, _key text default null) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres' as $jet$
begin
  return shop.audit_send(audit_send_retry_task._id, 'RETRY_TASK', jsonb_build_object(), audit_send_retry_task._key);
end
$jet$;

-- A dispatch that failed twice. ERROR(type: "transition") once, where the state takes it; else the task is stuck: it holds
-- no lease, leaves the claim index and keeps its event until shop.audit_retry. _with: the token, where the worker itself came with it.
create or replace function shop._audit_trouble(_task bigint, _failed text, _fields jsonb, _vars jsonb, _error text, _name text, _with bigint) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_error text := _error;
  v_applied boolean;
begin
  if _failed <> 'ERROR' then
    begin
      update shop.audit t set _event = 'ERROR', _payload = jsonb_build_object('type', 'transition', 'message', _error, 'event', _failed),
          _set = null, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task and t.state in ('running') returning t._applied into v_applied;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
  end if;
  if v_applied then
    return 'failed';
  end if;
  update shop.audit t set _event = 'stuck', _at = jet.now(), _actor = _name, _set = null, _send_key = null, _fence = _with,
      _payload = jsonb_build_object('at', jet.now(), 'event', _failed, 'payload', _fields, 'set', _vars, 'token', _with,
        'error', v_error, 'state', t.state)
    where t.id = _task;
  return 'stuck';
end
$jet$;
revoke all on function shop._audit_trouble(bigint, text, jsonb, jsonb, text, text, bigint) from public;

-- One outcome of a batch that could not be applied as a whole.
create or replace function shop._audit_settle(_by bigint, _name text, _task bigint, _with bigint, _outcome text, _fields jsonb, _vars jsonb) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_worker bigint;
  v_token bigint;
  v_fence bigint;
  v_event text;
  v_applied boolean;
  v_error text;
begin
  select t._worker, t._token, t._fence into v_worker, v_token, v_fence from shop.audit t where t.id = _task for no key update;
  if not found then
    return 'missing';
  end if;
  if v_worker = _by and v_token = _with then
    begin
      update shop.audit t set _event = _outcome, _payload = _fields, _set = _vars, _fence = _with, _at = jet.now(), _actor = _name, _send_key = null
        where t.id = _task returning t._event, t._applied into v_event, v_applied;
      return case when not v_applied then 'ignored' when v_event <> _outcome and _outcome not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end;
    exception when others then
      if jet.is_servers_trouble(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_error = message_text;
    end;
    return shop._audit_trouble(_task, _outcome, _fields, _vars, v_error, _name, _with);
  end if;
  if v_fence = _with or exists (select from shop._audit_hops h where h.id = _task and h.token = _with) then
    return 'duplicate';
  end if;
  update shop.audit t set _event = 'late', _payload = jsonb_build_object('event', _outcome, 'token', _with, 'payload', _fields),
      _set = null, _fence = null, _at = jet.now(), _actor = _name, _send_key = null
    where t.id = _task;
  return 'lost';
end
$jet$;
revoke all on function shop._audit_settle(bigint, text, bigint, bigint, text, jsonb, jsonb) from public;

-- Ends the work of a batch: [{"id", "token", "event", "payload", "set"}], each task once. The token is the fence: a worker
-- whose lease was lost cannot finish the task, and its late result goes into the history.
create or replace function shop.audit_resolve(_worker bigint, _outcomes jsonb)
returns table (id bigint, result text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_ids bigint[];
  v_done bigint[];
  v_results text[];
  v_outcome record;
begin
  perform jet.need_read_committed();
  select w.name into v_actor from jet.worker w where w.id = audit_resolve._worker;
  v_actor := coalesce(v_actor, 'worker ' || audit_resolve._worker);
  perform pg_current_xact_id();  -- before the clock: see the mark of claim
  v_now := jet.now();
  v_ids := array(select r.id from jsonb_to_recordset(_outcomes) as r (id bigint));
  begin
    -- In the order of ids, so that two such calls never wait for each other crosswise. With the ids as an array the
    -- rows are reached by key whatever the join, also by a plan that was made while the table was empty.
    with u as (
      update shop.audit t set _event = o.event, _payload = nullif(o.payload, 'null'), _set = nullif(o.set, 'null'), _fence = o.token, _at = v_now, _actor = v_actor, _send_key = null
      from (select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) order by r.id) o
      where t.id = any(v_ids) and t.id = o.id and t._token = o.token and t._worker = audit_resolve._worker
      returning t.id, case when not t._applied then 'ignored'
        when t._event <> o.event and o.event not in ('RELEASED', 'TIMEOUT') then 'failed' else 'applied' end as result)
    select coalesce(array_agg(u.id), '{}'), array_agg(u.result) into v_done, v_results from u;
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;

    -- One of them cannot make the step: each alone.
    v_done := '{}';
  end;
  return query select * from unnest(v_done, v_results);
  if cardinality(v_done) = jsonb_array_length(_outcomes) then
    return;
  end if;
  for v_outcome in select * from jsonb_to_recordset(_outcomes) as r (id bigint, token bigint, event text, payload jsonb, set jsonb) where r.id <> all(v_done) order by r.id loop
    id := v_outcome.id;
    result := shop._audit_settle(audit_resolve._worker, v_actor, v_outcome.id, v_outcome.token, v_outcome.event, nullif(v_outcome.payload, 'null'), nullif(v_outcome.set, 'null'));
    return next;
  end loop;
end
$jet$;

-- Claims up to _limit tasks for a worker, by priority, then run_at, then id. The last row has no id: its mark goes into
-- the worker's next claim, which then does not walk the index entries that lie behind. What makes a mark safe:
--   low   nothing claimable lies before it;
--   high  where a former claim came to. low moves up to it once every transaction that was in flight when high was read
--         has ended (all up to that claim's own id), and a look back finds nothing that another session keeps locked.
-- run_at is never set in the past, and every writer has a transaction id before it reads the clock.
create or replace function shop.audit_claim(_worker bigint, _limit integer, _mark jsonb default null)
returns table (id bigint, token bigint, attempt integer, state text, handler text, data json, mark jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_actor text;
  v_now timestamptz;
  v_left integer := _limit;
  v_marks jsonb := '{}'::jsonb;
  v_priority integer;
  v_after integer;
  v_known integer;
  v_mark jsonb;
  v_low_at timestamptz;
  v_low_id bigint;
  v_high_at timestamptz;
  v_high_id bigint;
  v_end_at timestamptz;
  v_end_id bigint;
  v_mark_at timestamptz;
  v_settled boolean;
  v_ids bigint[];
  v_next timestamptz;
  v_due timestamptz;
begin
  perform jet.need_read_committed();
  v_actor := jet.worker_name(_worker);
  v_now := jet.now();
  if exists (select from jet.paused p where p.machine = 'shop.audit') then
    return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json, '{}'::jsonb;
    return;
  end if;

  -- A mark from the future: the clock was set back.
  if (_mark ->> 'at')::timestamptz <= v_now then
    v_marks := coalesce(_mark -> 'p', '{}');
  end if;

  while v_left > 0 loop
    -- The next priority: one that the mark knows, or a new one before it.
    select min(k::integer) into v_known from jsonb_object_keys(v_marks) k where v_after is null or k::integer > v_after;
    v_priority := null;
    select t._priority into v_priority from shop.audit t
      where t.run_at is not null and t._priority > coalesce(v_after::bigint, -2147483649)
        and t._priority < coalesce(v_known::bigint, 2147483648)
      order by t._priority, t.run_at, t.id limit 1;
    v_priority := coalesce(v_priority, v_known);
    exit when v_priority is null;
    v_after := v_priority;

    v_mark := v_marks -> (v_priority::text);
    v_low_at := coalesce((v_mark ->> 0)::timestamptz, '-infinity');
    v_low_id := coalesce((v_mark ->> 1)::bigint, 0);
    v_high_at := (v_mark ->> 2)::timestamptz;
    v_high_id := (v_mark ->> 3)::bigint;
    v_mark_at := v_high_at;
    v_settled := pg_snapshot_xmin(pg_current_snapshot()) > (v_mark ->> 4)::xid8;

    v_ids := null;
    select array_agg(c.id), max(c.run_at) into v_ids, v_end_at from (
      select t.id, t.run_at from shop.audit t
      where t.run_at is not null and t._priority = v_priority and t.run_at <= v_now and (t.run_at, t.id) > (v_low_at, v_low_id)
        and t.state in ('ready')
      order by t.run_at, t.id limit v_left for no key update skip locked) c;
    if v_ids is null then
      v_end_at := v_now;
      v_end_id := 9223372036854775807;
    else
      return query
        update shop.audit t set _event = 'LOCKED_BY_WORKER', _at = v_now, _actor = v_actor, _worker = audit_claim._worker, _fence = null, _send_key = null, _set = null
        where t.id = any(v_ids)
        returning t.id, t._token, t.attempts, t.state, U&'shop.audit!003Awrite' uescape '!', json_build_object('params', json_build_object('what', t.what), 'vars', '{}'::json, 'event', case when t._was_event is not null then json_build_object('name', t._was_event, 'payload', t._payload) end), null::jsonb;
      if cardinality(v_ids) < v_left then
        v_end_at := v_now;
        v_end_id := 9223372036854775807;
      else
        v_end_id := v_ids[cardinality(v_ids)];
      end if;
      v_left := v_left - cardinality(v_ids);
    end if;

    if v_settled then
      -- Up to high, or to where this claim came, if that is less; but before what is still claimable there.
      if (v_high_at, v_high_id) > (v_end_at, v_end_id) then
        v_high_at := v_end_at;
        v_high_id := v_end_id;
      end if;
      v_due := null;
      select t.run_at, t.id - 1 into v_due, v_low_id from shop.audit t
        where t.run_at is not null and t._priority = v_priority and (t.run_at, t.id) > (v_low_at, v_low_id)
          and (t.run_at, t.id) <= (v_high_at, v_high_id) and t.state in ('ready')
        order by t.run_at, t.id limit 1;
      v_low_at := coalesce(v_due, v_high_at);
      v_low_id := case when v_due is null then v_high_id else v_low_id end;
    end if;

    -- A snapshot's xmax is no bound of what is in flight: ids given out and not ended lie above it. Our own id is one,
    -- taken after the clock was read; a look that found nothing spends one a second at most.
    if v_mark is null or v_settled and (v_ids is not null or v_mark_at < v_now - interval '1 s') then
      v_marks := jsonb_set(v_marks, array[v_priority::text], jsonb_build_array(
        v_low_at, v_low_id, v_end_at, v_end_id, pg_current_xact_id()::text));
    end if;

    if v_left > 0 then
      select t.run_at into v_due from shop.audit t
        where t.run_at is not null and t._priority = v_priority and t.run_at > v_now order by t.run_at, t.id limit 1;
      v_next := least(v_next, v_due);
    end if;
  end loop;

  return query select null::bigint, null::bigint, null::integer, null::text, null::text, null::json,
    jsonb_build_object('at', v_now, 'p', v_marks, 'next', case when v_left > 0 then extract(epoch from v_next - v_now) end);
end
$jet$;

-- Which of these tasks a worker no longer holds: it stops their handlers.
create or replace function shop.audit_lost(_worker bigint, _ids bigint[], _tokens bigint[]) returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $jet$
  select h.id from unnest(_ids, _tokens) as h (id, token)
  where not exists (select from shop.audit t where t.id = h.id and t._worker = audit_lost._worker and t._token = h.token)
$jet$;

-- Ends the leases of dead workers (LEASE_EXPIRED), and runs past their timeout (TIMEOUT).
create or replace function shop._audit_expire(_dead bigint[], _max integer) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $jet$
#variable_conflict use_variable
declare
  v_now timestamptz;
  v_id bigint;
  v_ids bigint[];
  v_event text;
  v_error text;
begin
  v_now := jet.now();
  v_ids := array(
    select t.id from shop.audit t
    where t.run_at is not null and t.run_at <= v_now and t.state in ('running')
      and (t._worker = any(_dead))
    order by t._priority, t.run_at, t.id limit _max for no key update skip locked);
  if v_ids = '{}' then
    return 0;
  end if;
  begin
    update shop.audit t set _event = 'LEASE_EXPIRED', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
      where t.id = any(v_ids);
  exception when others then
    if jet.is_servers_trouble(sqlstate) then
      raise;
    end if;
    foreach v_id in array v_ids loop
      begin
        update shop.audit t set _event = 'LEASE_EXPIRED', _payload = null, _set = null, _fence = null, _send_key = null, _at = v_now, _actor = 'jet.tick'
          where t.id = v_id;
      exception when others then
        if jet.is_servers_trouble(sqlstate) then
          raise;
        end if;
        get stacked diagnostics v_error = message_text;
        select 'LEASE_EXPIRED' into v_event from shop.audit t where t.id = v_id;
        perform shop._audit_trouble(v_id, v_event, null, null, v_error, 'jet.tick', null);
      end;
    end loop;
  end;
  return cardinality(v_ids);
end
$jet$;
revoke all on function shop._audit_expire(bigint[], integer) from public;

-- Frees a stuck task and dispatches again what it was stuck on.
create or replace function shop.audit_retry(_id bigint) returns jet.sent
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set enable_seqscan = off set jit = off as $jet$
#variable_conflict use_variable
declare
  v_stuck jsonb;
  v_sent jet.sent;
begin
  select t._stuck, t.state into v_stuck, v_sent.state from shop.audit t where t.id = audit_retry._id for no key update;
  if not found then
    raise exception using message = 'shop.audit' || ' has no task ' || coalesce(audit_retry._id::text, 'null'), hint = 'the ids of all its tasks: select id from shop.audit', errcode = 'P0002';
  end if;
  if v_stuck is null then
    v_sent.applied := false;
    v_sent.reason := 'it is not stuck';
    return v_sent;
  end if;
  update shop.audit t set _event = 'unstuck', _payload = null, _set = null, _fence = null, _send_key = null, _at = jet.now(), _actor = jet.actor()
    where t.id = audit_retry._id;
  if v_stuck ->> 'event' <> 'LOCKED_BY_WORKER' then
    -- With the fence of then, a worker's outcome that no clause takes is a failure still.
    update shop.audit t set _event = v_stuck ->> 'event', _payload = nullif(v_stuck -> 'payload', 'null'), _set = nullif(v_stuck -> 'set', 'null'),
        _fence = (v_stuck ->> 'token')::bigint, _at = jet.now()
      where t.id = audit_retry._id;
  end if;
  select true, t.state, null into v_sent from shop.audit t where t.id = audit_retry._id;
  return v_sent;
end
$jet$;

-- The history as a reader wants it: one row a hop. event and from_state are null for the creation; to_state is null for
-- an event that the state did not take.
create or replace view shop.audit_history (id, seq, at, event, payload, from_state, to_state, changed, actor) as
  select t.id, 1, t.created_at, null::text, null::jsonb, null::text,
    coalesce((select coalesce(h.claimed_state, h.from_state) from shop._audit_hops h where h.id = t.id order by h.seq limit 1), t._was_state, t.state),
    null::jsonb, t._creator
  from shop.audit t
  union all
  -- The claim that the next dispatch was written with.
  select h.id, h.seq - coalesce(jsonb_array_length(h.hops), 1), h.entered_at, 'LOCKED_BY_WORKER', null, h.claimed_state, h.from_state,
    null, h.claimed_actor
  from shop._audit_hops h where h.claimed_state is not null
  union all
  select h.id, h.seq, h.at, h.event, h.payload, h.from_state, h.to_state, h.changed, h.actor
  from shop._audit_hops h where h.hops is null
  union all
  select h.id, (h.seq - jsonb_array_length(h.hops) + hop.n)::integer, h.at, hop.value ->> 'event', case hop.n when 1 then h.payload end,
    case hop.n when 1 then h.from_state else h.hops -> (hop.n::integer - 2) ->> 'to' end, hop.value ->> 'to',
    nullif(hop.value -> 'changed', 'null'::jsonb), h.actor
  from shop._audit_hops h cross join lateral jsonb_array_elements(h.hops) with ordinality as hop (value, n)
  where h.hops is not null
  union all
  -- A claim that nothing has followed yet.
  select t.id, t._seq, t.entered_at, 'LOCKED_BY_WORKER', null, t._was_state, t.state, null, t._actor
  from shop.audit t where t._was_state is not null;

-- shop.audit as it stood at a moment: every task at rest after its last dispatch up to then.
create or replace function shop.audit_at(_at timestamptz)
returns table (id bigint, state text, attempts integer, depth integer, parent bigint, root bigint, created_at timestamptz, entered_at timestamptz, run_at timestamptz, what text)
language sql stable set search_path = pg_catalog, pg_temp as $jet$
  select t.id,
    case when t._at <= $1 then t.state when h.id is null then t._was_state when h.claimed_state is null or h.entered_at <= $1 then h.from_state else h.claimed_state end,
    case when t._at <= $1 then t.attempts when h.id is null then t.attempts - case when t._was_state in ('ready') then 1 else 0 end
      when h.claimed_state is null or h.entered_at <= $1 then h.attempts else h.attempts - case when h.claimed_state in ('ready') then 1 else 0 end end,
    t.depth, t.parent, t.root, t.created_at,
    case when t._at <= $1 then t.entered_at when h.id is null then t._was_entered when h.claimed_state is null or h.entered_at <= $1 then h.entered_at else h.claimed_entered end,
    case when t._at <= $1 or h.id is null then t.run_at else h.run_at end,
    t.what

  from shop.audit t
  -- The first dispatch after that moment tells how the task stood before it,
  left join lateral (
    select h.* from shop._audit_hops h where t._at > $1 and h.id = t.id and h.at > $1 order by h.seq limit 1) h on true
  -- and the first one that changed vars, what they were.
  left join lateral (
    select h.was from shop._audit_hops h where t._at > $1 and h.id = t.id and h.at > $1 and h.was is not null order by h.seq limit 1) w on true
  where t.created_at <= $1

$jet$;

insert into jet.machine (module, name, hash, manifest)
values ('shop', 'audit', '4ba827742f34149b77528367ed603caa2a2cbcc0296d5ebdeba8787b7ef648ae',
  U&'{"params": [{"name": "what", "type": "text", "optional": false}], "vars": [], "enums": {"tier": ["free", "pro"]}, "events": {"SNOOZE": [{"name": "delay", "type": "interval", "optional": false}], "RERUN_TASK": [], "RETRY_TASK": []}, "initial": "ready", "states": ["ready", "running", "failed", "done", "abandoned"], "final": ["done"], "failure": ["abandoned"], "claimable": {"ready": "running"}, "work": {"running": {"name": "running", "run": "shop.audit!003Awrite", "timeout": false, "outcomes": {"SUCCESS": [], "ERROR": [{"name": "type", "type": "text", "optional": false}, {"name": "message", "type": "text", "optional": false}, {"name": "traceback", "type": "text", "optional": false}], "RELEASED": [], "SNOOZE": [{"name": "delay", "type": "interval", "optional": false}]}}}}' uescape '!'::jsonb)
on conflict (module, name) do update set hash = excluded.hash, manifest = excluded.manifest;

-- What jet.tick and jet.heartbeat sweep in this module.
create or replace function shop._tick() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
declare
  v_done integer := 0;
begin
  v_done := v_done + shop._checkout_expire(new.dead, new.late, new.quota);
  v_done := v_done + shop._shipment_expire(new.dead, new.quota);
  v_done := v_done + shop._send_receipt_expire(new.dead, new.quota);
  v_done := v_done + shop._audit_expire(new.dead, new.quota);
  update jet.pulse set done = done + v_done where one and v_done > 0;
  return null;
end
$jet$;
revoke all on function shop._tick() from public;

create trigger shop_tick after update of beat on jet.pulse
  for each row execute function shop._tick();

-- The timers and slots, and what is kept no longer, that jet.tick and jet.heartbeat fire in this module.
create or replace function shop._fire() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $jet$
declare
  v_done integer := 0;
begin
  v_done := v_done + (shop.checkout_fire(new.quota) ->> 'fired')::integer;
  update jet.pulse set done = done + v_done where one and v_done > 0;
  return null;
end
$jet$;
revoke all on function shop._fire() from public;

create trigger shop_fire after update of fires on jet.pulse
  for each row execute function shop._fire();

-- When something of this module comes due next after a moment: a timer, a slot, or a task that waits for its time. Tests set their
-- clock by it.
create or replace function shop._due(_after timestamptz) returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $jet$
  select min(d.at) from (
    select min(t.run_at) as at from shop.checkout t where t.run_at > _after and t.state in ('charging.ready') union all
    select min(t._timer_at) as at from shop.checkout t where t._timer_at > _after union all
    select min(t.run_at) as at from shop.shipment t where t.run_at > _after and t.state in ('ready') union all
    select min(t.run_at) as at from shop.send_receipt t where t.run_at > _after and t.state in ('ready') union all
    select min(t.run_at) as at from shop.audit t where t.run_at > _after and t.state in ('ready')) d
$jet$;
revoke all on function shop._due(timestamptz) from public;

insert into jet.module (name, hash, compiler)
values ('shop', '3e42ba50e6f8062044d5a50fa23e0d20e4b8b077538f05e5029c2145f298ebd1', '0.1.0')
on conflict (name) do update set hash = excluded.hash, compiler = excluded.compiler, applied_at = clock_timestamp();
