-- by: who makes the changes of this transaction, for the audit
SELECT set_config('fabriquay.who', %(who)s, true), set_config('fabriquay.how', %(how)s, true),
       set_config('fabriquay.address', %(address)s, true), set_config('fabriquay.request', %(request)s, true);

-- may_take: whether the server has a role that this user may take
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s AND pg_has_role(current_user, oid, 'SET'));
