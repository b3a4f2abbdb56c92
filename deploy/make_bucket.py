"""Make the bucket that EARSHOT_STORAGE_URL names, unless it exists. Run once by compose.yaml before anything else."""

import os
import sys

import boto3
from botocore.exceptions import ClientError

url = os.environ.get("EARSHOT_STORAGE_URL", "")
if not url.startswith("s3://"):
    sys.exit(0)  # artefacts are kept in a folder
bucket = url.removeprefix("s3://").strip("/")
client = boto3.client("s3", endpoint_url=os.environ.get("EARSHOT_STORAGE_ENDPOINT") or None)
try:
    client.head_bucket(Bucket=bucket)
except ClientError as error:
    if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
        sys.exit(f"The bucket {bucket} cannot be reached: {error}. Check the keys in deploy/.env.")
    client.create_bucket(Bucket=bucket)
    print(f"Made the bucket {bucket}.")
