-- Run once by `jetpackc dev` on an empty database: the shop's own tables, and the first orders.
create table parcel (number text primary key, order_id bigint not null unique);
create table outbox (id bigint generated always as identity primary key, address text not null, body text not null);
create table audit_line (id bigint generated always as identity primary key, what text not null);

-- Ten orders. Nine are paid; one is cancelled.
select shop.checkout_create(order_id => n, email => 'customer' || n || '@example.org', tier => case when n = 7 then 'pro' else 'free' end)
from generate_series(1, 10) as n;

select shop.checkout_send_paid(id, amount => 20 + order_id, method => 'card') from shop.checkout where order_id < 10;
select shop.checkout_send_cancel(id) from shop.checkout where order_id = 10;
