"""Every DynamoDB call of the service, by table: accounts, payment events, plans."""
