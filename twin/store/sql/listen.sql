-- listen_action: hear of every new operator action
LISTEN fabriquay_action;

-- listen_alarm: hear of every new alarm transition
LISTEN fabriquay_alarm;
