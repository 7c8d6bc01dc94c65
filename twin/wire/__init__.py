"""What both ends of the broker agree on: readings, batches, schemas, receipts, topics, the MQTT client. No numpy."""
