"""Every DynamoDB call of the service, one module for each kind of item."""
