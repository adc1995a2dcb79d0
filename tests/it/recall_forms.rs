//! The forms in which AWS keys are written; `docs/accuracy.md` has the recall of each.

use crate::kit::keys::Random;

/// One way of writing keys.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    /// What is repeated for each key.
    pub(crate) each: &'static str,
    /// Keys in one text.
    pub(crate) pairs: usize,
}

pub(crate) const FORMS: &[Form] = &[
    Form {
        name: "ini",
        each: "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\nregion = eu-west-1\n",
        pairs: 1,
    },
    Form {
        name: "ini tight",
        each: "[profile prod]\r\naws_access_key_id={id}\r\naws_secret_access_key={secret}\r\n",
        pairs: 1,
    },
    Form {
        name: "ini temporary",
        each: "[mfa]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_session_token = {token}\n",
        pairs: 1,
    },
    Form {
        name: "ini boto security token",
        each: "[mfa]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_security_token = {token}\n",
        pairs: 1,
    },
    Form {
        name: "boto.cfg",
        each: "[Credentials]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\n[Boto]\ndebug = 0\n",
        pairs: 1,
    },
    Form {
        name: "rootkey.csv old",
        each: "AWSAccessKeyId={id}\r\nAWSSecretKey={secret}\r\n",
        pairs: 1,
    },
    Form {
        name: "accessKeys.csv new",
        each: "\u{feff}Access key ID,Secret access key\r\n{id},{secret}\r\n",
        pairs: 1,
    },
    Form {
        name: "new_user_credentials.csv",
        each: "User name,Password,Access key ID,Secret access key,Console login link\r\nalice,x{Yy9!,{id},{secret},https://123456789012.signin.aws.amazon.com/console\r\n",
        pairs: 1,
    },
    Form {
        name: "credentials.csv oldest",
        each: "User Name,Access Key Id,Secret Access Key\r\n\"bob\",{id},{secret}\r\n",
        pairs: 1,
    },
    Form {
        name: "env file",
        each: "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n",
        pairs: 1,
    },
    Form {
        name: "env quoted",
        each: "export AWS_ACCESS_KEY_ID=\"{id}\"\nexport AWS_SECRET_ACCESS_KEY='{secret}'\n",
        pairs: 1,
    },
    Form {
        name: "env temporary",
        each: "export AWS_ACCESS_KEY_ID=\"{id}\"\nexport AWS_SECRET_ACCESS_KEY=\"{secret}\"\nexport AWS_SESSION_TOKEN=\"{token}\"\n",
        pairs: 1,
    },
    Form {
        name: "env one line",
        each: "AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} aws s3 ls\n",
        pairs: 1,
    },
    Form {
        name: "env suffix",
        each: "AWS_ACCESS_KEY_ID_DEV={id}\nDEBUG=1\nAWS_SECRET_ACCESS_KEY_DEV={secret}\n",
        pairs: 1,
    },
    Form {
        name: "env short names",
        each: "AWS_KEY={id}\nAWS_SECRET={secret}\n",
        pairs: 1,
    },
    Form {
        name: "env s3",
        each: "S3_KEY={id}\nS3_SECRET={secret}\n",
        pairs: 1,
    },
    Form {
        name: "env amazon",
        each: "AMAZON_ACCESS_KEY_ID={id}\nAMAZON_SECRET_ACCESS_KEY={secret}\n",
        pairs: 1,
    },
    Form {
        name: "env terraform",
        each: "export TF_VAR_access_key={id}\nexport TF_VAR_secret_key={secret}\n",
        pairs: 1,
    },
    Form {
        name: "env drone",
        each: "PLUGIN_ACCESS_KEY={id}\nPLUGIN_SECRET_KEY={secret}\n",
        pairs: 1,
    },
    Form {
        name: "windows set",
        each: "set AWS_ACCESS_KEY_ID={id}\r\nset AWS_SECRET_ACCESS_KEY={secret}\r\n",
        pairs: 1,
    },
    Form {
        name: "powershell",
        each: "$env:AWS_ACCESS_KEY_ID = \"{id}\"\n$env:AWS_SECRET_ACCESS_KEY = \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "powershell cmdlet",
        each: "Set-AWSCredential -AccessKey {id} -SecretKey {secret} -StoreAs default\n",
        pairs: 1,
    },
    Form {
        name: "fish",
        each: "set -gx AWS_ACCESS_KEY_ID {id}\nset -gx AWS_SECRET_ACCESS_KEY {secret}\n",
        pairs: 1,
    },
    Form {
        name: "aws configure set",
        each: "aws configure set aws_access_key_id {id}\naws configure set aws_secret_access_key {secret} --profile x\n",
        pairs: 1,
    },
    Form {
        name: "command line",
        each: "mytool --access-key {id} --secret-key {secret} --bucket b\n",
        pairs: 1,
    },
    Form {
        name: "command line equals",
        each: "mytool --access-key={id} --secret-key={secret}\n",
        pairs: 1,
    },
    Form {
        name: "java properties",
        each: "-Daws.accessKeyId={id} -Daws.secretKey={secret}\n",
        pairs: 1,
    },
    Form {
        name: "dockerfile",
        each: "FROM x\nENV AWS_ACCESS_KEY_ID {id}\nENV AWS_SECRET_ACCESS_KEY {secret}\nRUN y\n",
        pairs: 1,
    },
    Form {
        name: "dockerfile equals",
        each: "ENV AWS_ACCESS_KEY_ID={id} \\\n    AWS_SECRET_ACCESS_KEY={secret}\n",
        pairs: 1,
    },
    Form {
        name: "dockerfile arg",
        each: "ARG AWS_ACCESS_KEY_ID=\"{id}\"\nARG AWS_SECRET_ACCESS_KEY=\"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "yaml",
        each: "aws:\n  access_key_id: {id}\n  secret_access_key: {secret}\n",
        pairs: 1,
    },
    Form {
        name: "yaml quoted",
        each: "production:\n  access_key_id: \"{id}\"\n  secret_access_key: '{secret}'\n",
        pairs: 1,
    },
    Form {
        name: "yaml spring",
        each: "cloud:\n  aws:\n    credentials:\n      accessKey: {id}\n      secretKey: {secret}\n",
        pairs: 1,
    },
    Form {
        name: "github actions",
        each: "      with:\n        aws-access-key-id: {id}\n        aws-secret-access-key: {secret}\n        aws-region: us-east-1\n",
        pairs: 1,
    },
    Form {
        name: "compose list",
        each: "    environment:\n      - AWS_ACCESS_KEY_ID={id}\n      - AWS_SECRET_ACCESS_KEY={secret}\n",
        pairs: 1,
    },
    Form {
        name: "ansible",
        each: "ec2_access_key: \"{id}\"\nec2_secret_key: \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "kubernetes env",
        each: "        env:\n        - name: AWS_ACCESS_KEY_ID\n          value: \"{id}\"\n        - name: AWS_SECRET_ACCESS_KEY\n          value: \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "kubernetes secret base64",
        each: "apiVersion: v1\nkind: Secret\ndata:\n  AWS_ACCESS_KEY_ID: {id:b64}\n  AWS_SECRET_ACCESS_KEY: {secret:b64}\n",
        pairs: 1,
    },
    Form {
        name: "kubernetes secret base64 with line feed",
        each: "kind: Secret\ndata:\n  access-key: {id:b64n}\n  secret-key: {secret:b64n}\n",
        pairs: 1,
    },
    Form {
        name: "kubernetes stringData",
        each: "kind: Secret\nstringData:\n  access-key: {id}\n  secret-key: {secret}\n",
        pairs: 1,
    },
    Form {
        name: "ecs json",
        each: "\"environment\": [\n  {\"name\": \"AWS_ACCESS_KEY_ID\", \"value\": \"{id}\"},\n  {\"name\": \"AWS_SECRET_ACCESS_KEY\", \"value\": \"{secret}\"}\n]\n",
        pairs: 1,
    },
    Form {
        name: "ecs json pretty",
        each: "\"environment\": [\n  {\n    \"name\": \"AWS_ACCESS_KEY_ID\",\n    \"value\": \"{id}\"\n  },\n  {\n    \"name\": \"AWS_SECRET_ACCESS_KEY\",\n    \"value\": \"{secret}\"\n  }\n]\n",
        pairs: 1,
    },
    Form {
        name: "cloudformation",
        each: "{\"ParameterKey\": \"AccessKey\", \"ParameterValue\": \"{id}\"},\n{\"ParameterKey\": \"SecretKey\", \"ParameterValue\": \"{secret}\"}\n",
        pairs: 1,
    },
    Form {
        name: "json",
        each: "{\"accessKeyId\": \"{id}\", \"secretAccessKey\": \"{secret}\", \"region\": \"us-east-1\"}",
        pairs: 1,
    },
    Form {
        name: "json pretty",
        each: "{\n    \"AWSAccessKeyId\": \"{id}\",\n    \"AWSSecretKey\": \"{secret}\"\n}\n",
        pairs: 1,
    },
    Form {
        name: "json slash escaped",
        each: "{\"accessKeyId\":\"{id}\",\"secretAccessKey\":\"{secret:json}\"}",
        pairs: 1,
    },
    Form {
        name: "json unicode escaped",
        each: "{\"accessKeyId\":\"{id}\",\"secretAccessKey\":\"{secret:unicode}\"}",
        pairs: 1,
    },
    Form {
        name: "json in json",
        each: "{\"body\": \"{\\\"accessKeyId\\\": \\\"{id}\\\", \\\"secretAccessKey\\\": \\\"{secret}\\\"}\"}",
        pairs: 1,
    },
    Form {
        name: "json in json in json",
        each: "{\"log\": \"{\\\"body\\\":\\\"{\\\\\\\"accessKeyId\\\\\\\":\\\\\\\"{id}\\\\\\\",\\\\\\\"secretAccessKey\\\\\\\":\\\\\\\"{secret:json3}\\\\\\\"}\\\"}\"}",
        pairs: 1,
    },
    Form {
        name: "ini in json",
        each: "{\"file\": \"[default]\\naws_access_key_id = {id}\\naws_secret_access_key = {secret}\\nregion = x\\n\"}",
        pairs: 1,
    },
    Form {
        name: "env in json",
        each: "{\"script\": \"export AWS_ACCESS_KEY_ID={id}\\nexport AWS_SECRET_ACCESS_KEY={secret}\\n./run.sh\\n\"}",
        pairs: 1,
    },
    Form {
        name: "iam create-access-key",
        each: "{\n    \"AccessKey\": {\n        \"UserName\": \"Bob\",\n        \"Status\": \"Active\",\n        \"CreateDate\": \"2015-03-09T18:39:23.411Z\",\n        \"SecretAccessKey\": \"{secret}\",\n        \"AccessKeyId\": \"{id}\"\n    }\n}\n",
        pairs: 1,
    },
    Form {
        name: "sts assume-role",
        each: "{\n    \"Credentials\": {\n        \"SecretAccessKey\": \"{secret}\",\n        \"SessionToken\": \"{token}\",\n        \"Expiration\": \"2016-03-15T00:05:07Z\",\n        \"AccessKeyId\": \"{id}\"\n    }\n}\n",
        pairs: 1,
    },
    Form {
        name: "imds",
        each: "{\n  \"Code\" : \"Success\",\n  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"{id}\",\n  \"SecretAccessKey\" : \"{secret}\",\n  \"Token\" : \"{token}\",\n  \"Expiration\" : \"2017-05-17T15:09:54Z\"\n}\n",
        pairs: 1,
    },
    Form {
        name: "sts xml",
        each: "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken></Credentials>",
        pairs: 1,
    },
    Form {
        name: "tfstate",
        each: "      \"attributes\": {\n            \"id\": \"{id}\",\n            \"secret\": \"{secret}\",\n            \"ses_smtp_password_v4\": \"BHf0Xk{pad38}\",\n            \"status\": \"Active\",\n            \"user\": \"svc\"\n          }\n",
        pairs: 1,
    },
    Form {
        name: "hcl provider",
        each: "provider \"aws\" {\n  region     = \"us-west-2\"\n  access_key = \"{id}\"\n  secret_key = \"{secret}\"\n}\n",
        pairs: 1,
    },
    Form {
        name: "hcl variables",
        each: "variable \"access_key\" {\n  type    = string\n  default = \"{id}\"\n}\n\nvariable \"secret_key\" {\n  type    = string\n  default = \"{secret}\"\n}\n",
        pairs: 1,
    },
    Form {
        name: "xml",
        each: "<config>\n  <accessKey>{id}</accessKey>\n  <secretKey>{secret}</secretKey>\n</config>\n",
        pairs: 1,
    },
    Form {
        name: "xml escaped",
        each: "<config accessKey=&quot;{id}&quot; secretKey=&quot;{secret:html}&quot;/>\n",
        pairs: 1,
    },
    Form {
        name: "maven wagon",
        each: "<server>\n  <id>repo</id>\n  <username>{id}</username>\n  <password>{secret}</password>\n</server>\n",
        pairs: 1,
    },
    Form {
        name: "maven passphrase",
        each: "<server><id>repo</id><username>{id}</username><passphrase>{secret}</passphrase></server>\n",
        pairs: 1,
    },
    Form {
        name: "web.config",
        each: "<add key=\"AWSAccessKey\" value=\"{id}\"/>\n<add key=\"AWSSecretKey\" value=\"{secret}\"/>\n",
        pairs: 1,
    },
    Form {
        name: "hadoop xml",
        each: "<property>\n  <name>fs.s3a.access.key</name>\n  <value>{id}</value>\n</property>\n<property>\n  <name>fs.s3a.secret.key</name>\n  <value>{secret}</value>\n</property>\n",
        pairs: 1,
    },
    Form {
        name: "hadoop properties",
        each: "fs.s3n.awsAccessKeyId={id}\nfs.s3n.awsSecretAccessKey={secret}\n",
        pairs: 1,
    },
    Form {
        name: "spark conf",
        each: "spark.hadoop.fs.s3a.access.key {id}\nspark.hadoop.fs.s3a.secret.key {secret}\n",
        pairs: 1,
    },
    Form {
        name: "plist",
        each: "<key>AccessKey</key>\n<string>{id}</string>\n<key>SecretKey</key>\n<string>{secret}</string>\n",
        pairs: 1,
    },
    Form {
        name: "s3cfg",
        each: "[default]\naccess_key = {id}\nbucket_location = US\nsecret_key = {secret}\n",
        pairs: 1,
    },
    Form {
        name: "s3cfg far",
        each: "[default]\naccess_key = {id}\nadd_encoding_exts =\nadd_headers =\nbucket_location = US\nca_certs_file =\ncache_file =\ncheck_ssl_certificate = True\ndefault_mime_type = binary/octet-stream\nenable_multipart = True\nencoding = UTF-8\nforce = False\nget_continue = False\nguess_mime_type = True\nhost_base = s3.amazonaws.com\nmultipart_chunk_size_mb = 15\npreserve_attrs = True\nprogress_meter = True\nrecursive = False\nsecret_key = {secret}\nsend_chunk = 4096\n",
        pairs: 1,
    },
    Form {
        name: "rclone",
        each: "[remote]\ntype = s3\nprovider = AWS\naccess_key_id = {id}\nsecret_access_key = {secret}\nregion = us-east-1\n",
        pairs: 1,
    },
    Form {
        name: "s3fs",
        each: "{id}:{secret}\n",
        pairs: 1,
    },
    Form {
        name: "s3fs bucket",
        each: "mybucket:{id}:{secret}\n",
        pairs: 1,
    },
    Form {
        name: "fog",
        each: ":provider => 'AWS',\n:aws_access_key_id => '{id}',\n:aws_secret_access_key => '{secret}',\n",
        pairs: 1,
    },
    Form {
        name: "gradle",
        each: "accessKey={id}\nsecretKey={secret}\n",
        pairs: 1,
    },
    Form {
        name: "gradle kotlin",
        each: "credentials(AwsCredentials::class) {\n    accessKey = \"{id}\"\n    secretKey = \"{secret}\"\n}\n",
        pairs: 1,
    },
    Form {
        name: "jenkins xml",
        each: "<com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl>\n  <accessKey>{id}</accessKey>\n  <secretKey>{secret}</secretKey>\n",
        pairs: 1,
    },
    Form {
        name: "redshift copy",
        each: "COPY t FROM 's3://b/k' credentials 'aws_access_key_id={id};aws_secret_access_key={secret}' CSV;",
        pairs: 1,
    },
    Form {
        name: "redshift copy token",
        each: "COPY t FROM 's3://b/k' credentials 'aws_access_key_id={id};aws_secret_access_key={secret};token={token}' CSV;",
        pairs: 1,
    },
    Form {
        name: "redshift copy keys",
        each: "COPY t FROM 's3://b' ACCESS_KEY_ID '{id}' SECRET_ACCESS_KEY '{secret}' SESSION_TOKEN '{token}';",
        pairs: 1,
    },
    Form {
        name: "snowflake",
        each: "credentials=(aws_key_id='{id}' aws_secret_key='{secret}' aws_token='{token}')",
        pairs: 1,
    },
    Form {
        name: "snowflake upper",
        each: "CREATE STAGE s URL='s3://b' CREDENTIALS=(AWS_KEY_ID='{id}' AWS_SECRET_KEY='{secret}');",
        pairs: 1,
    },
    Form {
        name: "athena jdbc",
        each: "jdbc:awsathena://AwsRegion=us-east-1;UID={id};PWD={secret};S3OutputLocation=s3://x/",
        pairs: 1,
    },
    Form {
        name: "java v1",
        each: "AWSCredentials c = new BasicAWSCredentials(\"{id}\", \"{secret}\");\n",
        pairs: 1,
    },
    Form {
        name: "java v1 lines",
        each: "new BasicAWSCredentials(\n    \"{id}\",\n    \"{secret}\")\n",
        pairs: 1,
    },
    Form {
        name: "java session",
        each: "new BasicSessionCredentials(\"{id}\", \"{secret}\", \"{token}\");\n",
        pairs: 1,
    },
    Form {
        name: "java v2",
        each: "AwsBasicCredentials.create(\"{id}\", \"{secret}\")\n",
        pairs: 1,
    },
    Form {
        name: "java constants",
        each: "private static final String ACCESS_KEY = \"{id}\";\nprivate static final String SECRET_KEY = \"{secret}\";\n",
        pairs: 1,
    },
    Form {
        name: "go static",
        each: "credentials.NewStaticCredentials(\"{id}\", \"{secret}\", \"\")\n",
        pairs: 1,
    },
    Form {
        name: "go provider",
        each: "credentials.NewStaticCredentialsProvider(\"{id}\", \"{secret}\", \"{token}\")\n",
        pairs: 1,
    },
    Form {
        name: "go const",
        each: "const accessKey string = \"{id}\"\nconst secretKey string = \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "go short",
        each: "accessKey := \"{id}\"\nsecretKey := \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "js v2",
        each: "AWS.config.update({ accessKeyId: '{id}', secretAccessKey: '{secret}', region: 'us-east-1' });\n",
        pairs: 1,
    },
    Form {
        name: "js v3",
        each: "new S3Client({\n  credentials: {\n    accessKeyId: \"{id}\",\n    secretAccessKey: \"{secret}\",\n  },\n});\n",
        pairs: 1,
    },
    Form {
        name: "js process.env",
        each: "process.env.AWS_ACCESS_KEY_ID = '{id}';\nprocess.env.AWS_SECRET_ACCESS_KEY = '{secret}';\n",
        pairs: 1,
    },
    Form {
        name: "typescript",
        each: "const accessKeyId: string = `{id}`;\nconst secretAccessKey: string = `{secret}`;\n",
        pairs: 1,
    },
    Form {
        name: "ruby",
        each: "Aws::Credentials.new('{id}', '{secret}')\n",
        pairs: 1,
    },
    Form {
        name: "ruby env",
        each: "ENV['AWS_ACCESS_KEY_ID'] = '{id}'\nENV['AWS_SECRET_ACCESS_KEY'] = '{secret}'\n",
        pairs: 1,
    },
    Form {
        name: "python boto3",
        each: "boto3.client('s3', aws_access_key_id='{id}', aws_secret_access_key='{secret}')\n",
        pairs: 1,
    },
    Form {
        name: "python boto3 lines",
        each: "session = boto3.Session(\n    aws_access_key_id=\"{id}\",\n    aws_secret_access_key=\"{secret}\",\n    aws_session_token=\"{token}\",\n)\n",
        pairs: 1,
    },
    Form {
        name: "python boto2",
        each: "conn = S3Connection('{id}', '{secret}')\n",
        pairs: 1,
    },
    Form {
        name: "python environ",
        each: "os.environ[\"AWS_ACCESS_KEY_ID\"] = \"{id}\"\nos.environ[\"AWS_SECRET_ACCESS_KEY\"] = \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "python tuple",
        each: "ACCESS_KEY, SECRET_KEY = '{id}', '{secret}'\n",
        pairs: 1,
    },
    Form {
        name: "python getenv default",
        each: "key = os.getenv(\"AWS_ACCESS_KEY_ID\", \"{id}\")\nsecret = os.getenv(\"AWS_SECRET_ACCESS_KEY\", \"{secret}\")\n",
        pairs: 1,
    },
    Form {
        name: "php define",
        each: "define('AWS_ACCESS_KEY', '{id}');\ndefine('AWS_SECRET_KEY', '{secret}');\n",
        pairs: 1,
    },
    Form {
        name: "php array",
        each: "'credentials' => [\n    'key'    => '{id}',\n    'secret' => '{secret}',\n],\n",
        pairs: 1,
    },
    Form {
        name: "c#",
        each: "var client = new AmazonS3Client(\"{id}\", \"{secret}\", RegionEndpoint.USEast1);\n",
        pairs: 1,
    },
    Form {
        name: "c# properties",
        each: "options.AccessKey = \"{id}\";\noptions.SecretKey = \"{secret}\";\n",
        pairs: 1,
    },
    Form {
        name: "kotlin",
        each: "val accessKey: String = \"{id}\"\nval secretKey: String = \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "swift",
        each: "let credentials = AWSStaticCredentialsProvider(accessKey: \"{id}\", secretKey: \"{secret}\")\n",
        pairs: 1,
    },
    Form {
        name: "objective-c",
        each: "NSString *accessKey = @\"{id}\";\nNSString *secretKey = @\"{secret}\";\n",
        pairs: 1,
    },
    Form {
        name: "rust",
        each: "let credentials = Credentials::new(\"{id}\", \"{secret}\", None, None, \"static\");\n",
        pairs: 1,
    },
    Form {
        name: "rust const",
        each: "const ACCESS_KEY: &str = \"{id}\";\nconst SECRET_KEY: &'static str = \"{secret}\";\n",
        pairs: 1,
    },
    Form {
        name: "c define",
        each: "#define AWS_ACCESS_KEY \"{id}\"\n#define AWS_SECRET_KEY \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "c++",
        each: "Aws::Auth::AWSCredentials c(\"{id}\", \"{secret}\");\n",
        pairs: 1,
    },
    Form {
        name: "scala",
        each: "val awsCreds = new BasicAWSCredentials(\"{id}\", \"{secret}\")\n",
        pairs: 1,
    },
    Form {
        name: "perl",
        each: "my $aws_access_key = '{id}';\nmy $aws_secret_key = '{secret}';\n",
        pairs: 1,
    },
    Form {
        name: "r",
        each: "Sys.setenv(\"AWS_ACCESS_KEY_ID\" = \"{id}\",\n           \"AWS_SECRET_ACCESS_KEY\" = \"{secret}\")\n",
        pairs: 1,
    },
    Form {
        name: "r arrow",
        each: "access_key <- \"{id}\"\nsecret_key <- \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "lua",
        each: "local access_key = \"{id}\"\nlocal secret_key = \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "clojure",
        each: "{:access-key \"{id}\" :secret-key \"{secret}\"}\n",
        pairs: 1,
    },
    Form {
        name: "elixir",
        each: "config :ex_aws,\n  access_key_id: \"{id}\",\n  secret_access_key: \"{secret}\"\n",
        pairs: 1,
    },
    Form {
        name: "url s3",
        each: "s3://{id}:{secret:url}@my-bucket/path\n",
        pairs: 1,
    },
    Form {
        name: "url s3n",
        each: "s3n://{id}:{secret:url}@bucket\n",
        pairs: 1,
    },
    Form {
        name: "url s3a raw",
        each: "s3a://{id}:{secret}@bucket/x\n",
        pairs: 1,
    },
    Form {
        name: "url https",
        each: "https://{id}:{secret:url}@s3.amazonaws.com/b\n",
        pairs: 1,
    },
    Form {
        name: "url query",
        each: "https://x/?AWSAccessKeyId={id}&AWSSecretKey={secret:url}&x=1\n",
        pairs: 1,
    },
    Form {
        name: "redis-like dsn",
        each: "aws+sqs://{id}:{secret:url}@sqs.us-east-1.amazonaws.com\n",
        pairs: 1,
    },
    Form {
        name: "celery",
        each: "broker_url = \"sqs://{id}:{secret:url}@\"\n",
        pairs: 1,
    },
    Form {
        name: "markdown table",
        each: "| Name | Value |\n|---|---|\n| AWS_ACCESS_KEY_ID | {id} |\n| AWS_SECRET_ACCESS_KEY | {secret} |\n",
        pairs: 1,
    },
    Form {
        name: "markdown table code",
        each: "| access key | `{id}` |\n| secret key | `{secret}` |\n",
        pairs: 1,
    },
    Form {
        name: "markdown row",
        each: "| alice | {id} | {secret} |\n",
        pairs: 1,
    },
    Form {
        name: "markdown list",
        each: "- Access key: `{id}`\n- Secret: `{secret}`\n",
        pairs: 1,
    },
    Form {
        name: "prose",
        each: "Use the key {id} with the secret {secret} please.\n",
        pairs: 1,
    },
    Form {
        name: "prose labels",
        each: "Access Key ID: {id}\nSecret Access Key: {secret}\n",
        pairs: 1,
    },
    Form {
        name: "notebook",
        each: "   \"source\": [\n    \"aws_key = \\\"{id}\\\"\\n\",\n    \"aws_secret = \\\"{secret}\\\"\\n\"\n   ]\n",
        pairs: 1,
    },
    Form {
        name: "notebook boto",
        each: "\"source\": [\"s3 = boto3.client('s3', aws_access_key_id='{id}',\\n\", \"                  aws_secret_access_key='{secret}')\\n\"]",
        pairs: 1,
    },
    Form {
        name: "sql insert",
        each: "INSERT INTO keys (id, secret) VALUES ('{id}', '{secret}');\n",
        pairs: 1,
    },
    Form {
        name: "csv row",
        each: "7,alice,{id},{secret},2020-01-01\n",
        pairs: 1,
    },
    Form {
        name: "tsv row",
        each: "alice\t{id}\t{secret}\n",
        pairs: 1,
    },
    Form {
        name: "slash separated",
        each: "{id}/{secret}\n",
        pairs: 1,
    },
    Form {
        name: "blank slash blank",
        each: "{id} / {secret}\n",
        pairs: 1,
    },
    Form {
        name: "secret first",
        each: "secret_key: {secret}\naccess_key: {id}\n",
        pairs: 1,
    },
    Form {
        name: "comment between",
        each: "AWS_ACCESS_KEY_ID={id}\n# the secret of the deploy user, see wiki\n\nAWS_SECRET_ACCESS_KEY={secret}\n",
        pairs: 1,
    },
    Form {
        name: "quoted printable",
        each: "AWS_ACCESS_KEY_ID=3D{id}\nAWS_SECRET_ACCESS_KEY=3D{secret}\n",
        pairs: 1,
    },
    Form {
        name: "log line",
        each: "2020-01-01 INFO credentials AccessKeyId={id}, SecretAccessKey={secret}, region=x\n",
        pairs: 1,
    },
    Form {
        name: "python repr",
        each: "{'AccessKeyId': '{id}', 'SecretAccessKey': '{secret}', 'SessionToken': '{token}'}",
        pairs: 1,
    },
    Form {
        name: "curl",
        each: "curl --user \"{id}:{secret}\" --aws-sigv4 \"aws:amz:us-east-1:s3\" https://x\n",
        pairs: 1,
    },
    Form {
        name: "whole file base64",
        each: "{file64:[default]\naws_access_key_id = %i\naws_secret_access_key = %s\n}",
        pairs: 1,
    },
    Form {
        name: "whole file base64 in data uri",
        each: "data:text/plain;base64,{file64:AWS_ACCESS_KEY_ID=%i\nAWS_SECRET_ACCESS_KEY=%s\n}",
        pairs: 1,
    },
    Form {
        name: "cloud-init base64 wrapped",
        each: "content: |\n{file64w:#!/bin/sh\nset -e\nexport AWS_ACCESS_KEY_ID=%i\nexport AWS_SECRET_ACCESS_KEY=%s\naws s3 cp s3://bucket/file /tmp/file\n}\n",
        pairs: 1,
    },
    Form {
        name: "split plus",
        each: "key = \"{id:head}\" + \"{id:tail}\"\nsecret = \"{secret:head}\" + \"{secret:tail}\"\n",
        pairs: 1,
    },
    Form {
        name: "split plus lines",
        each: "String key = \"{id:head}\"\n    + \"{id:tail}\";\nString secret = \"{secret:head}\"\n    + \"{secret:tail}\";\n",
        pairs: 1,
    },
    Form {
        name: "split php",
        each: "$key = '{id:head}' . '{id:tail}';\n$secret = '{secret:head}' . '{secret:tail}';\n",
        pairs: 1,
    },
    Form {
        name: "split adjacent",
        each: "key = (\"{id:head}\"\n       \"{id:tail}\")\nsecret = (\"{secret:head}\"\n          \"{secret:tail}\")\n",
        pairs: 1,
    },
    Form {
        name: "split backslash",
        each: "AWS_ACCESS_KEY_ID={id:head}\\\n{id:tail}\nAWS_SECRET_ACCESS_KEY={secret:head}\\\n{secret:tail}\n",
        pairs: 1,
    },
    Form {
        name: "split secret only",
        each: "AWS_ACCESS_KEY_ID = \"{id}\"\nAWS_SECRET_ACCESS_KEY = \"{secret:head}\" + \\\n    \"{secret:tail}\"\n",
        pairs: 1,
    },
    Form {
        name: "nul separated",
        each: "\x7fELF\x00\x01{id}\x00{secret}\x00abc\x00",
        pairs: 1,
    },
    Form {
        name: "utf-16 in a program",
        each: "{wide:accessKey\x00%i\x00secretKey\x00%s\x00}",
        pairs: 1,
    },
    Form {
        name: "profiles x2",
        each: "[p{n}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n",
        pairs: 2,
    },
    Form {
        name: "profiles x5",
        each: "[p{n}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n",
        pairs: 5,
    },
    Form {
        name: "profiles secret first x2",
        each: "[p{n}]\naws_secret_access_key = {secret}\naws_access_key_id = {id}\n\n",
        pairs: 2,
    },
    Form {
        name: "profiles secret first x5",
        each: "[p{n}]\naws_secret_access_key = {secret}\naws_access_key_id = {id}\n\n",
        pairs: 5,
    },
    Form {
        name: "csv rows x2",
        each: "user{n},{id},{secret}\n",
        pairs: 2,
    },
    Form {
        name: "csv rows x5",
        each: "user{n},{id},{secret}\n",
        pairs: 5,
    },
    Form {
        name: "env numbered x2",
        each: "AWS_ACCESS_KEY_ID_{n}={id}\nAWS_SECRET_ACCESS_KEY_{n}={secret}\n",
        pairs: 2,
    },
    Form {
        name: "env numbered x5",
        each: "AWS_ACCESS_KEY_ID_{n}={id}\nAWS_SECRET_ACCESS_KEY_{n}={secret}\n",
        pairs: 5,
    },
    Form {
        name: "json list x2",
        each: "  {\"id\": \"{id}\", \"key\": \"{secret}\"},\n",
        pairs: 2,
    },
    Form {
        name: "json list x5",
        each: "  {\"id\": \"{id}\", \"key\": \"{secret}\"},\n",
        pairs: 5,
    },
    Form {
        name: "json pretty list x2",
        each: "  {\n    \"accessKeyId\": \"{id}\",\n    \"secretAccessKey\": \"{secret}\"\n  },\n",
        pairs: 2,
    },
    Form {
        name: "json pretty list x5",
        each: "  {\n    \"accessKeyId\": \"{id}\",\n    \"secretAccessKey\": \"{secret}\"\n  },\n",
        pairs: 5,
    },
    Form {
        name: "colon lines x2",
        each: "{id}:{secret}\n",
        pairs: 2,
    },
    Form {
        name: "colon lines x5",
        each: "{id}:{secret}\n",
        pairs: 5,
    },
    Form {
        name: "two lines each x2",
        each: "{id}\n{secret}\n",
        pairs: 2,
    },
    Form {
        name: "two lines each x5",
        each: "{id}\n{secret}\n",
        pairs: 5,
    },
    Form {
        name: "two lines secret first x2",
        each: "{secret}\n{id}\n",
        pairs: 2,
    },
    Form {
        name: "two lines secret first x5",
        each: "{secret}\n{id}\n",
        pairs: 5,
    },
    Form {
        name: "xml servers x2",
        each: "<server><username>{id}</username><password>{secret}</password></server>\n",
        pairs: 2,
    },
    Form {
        name: "xml servers x5",
        each: "<server><username>{id}</username><password>{secret}</password></server>\n",
        pairs: 5,
    },
    Form {
        name: "terraform providers x2",
        each: "provider \"aws\" {\n  alias = \"p{n}\"\n  access_key = \"{id}\"\n  secret_key = \"{secret}\"\n}\n",
        pairs: 2,
    },
    Form {
        name: "terraform providers x5",
        each: "provider \"aws\" {\n  alias = \"p{n}\"\n  access_key = \"{id}\"\n  secret_key = \"{secret}\"\n}\n",
        pairs: 5,
    },
    Form {
        name: "constructors x2",
        each: "s{n} = S3Connection('{id}', '{secret}')\n",
        pairs: 2,
    },
    Form {
        name: "constructors x5",
        each: "s{n} = S3Connection('{id}', '{secret}')\n",
        pairs: 5,
    },
];

impl Form {
    /// Whether its keys have session tokens.
    pub(crate) fn temporary(&self) -> bool {
        self.each.contains("{token}")
    }

    /// The text that holds `keys`, between lines of other text.
    pub(crate) fn write<'k>(
        &self,
        keys: impl Iterator<Item = (&'k str, &'k str, Option<&'k str>)>,
        random: &mut Random,
    ) -> Vec<u8> {
        let mut text = Vec::new();
        for (number, (id, secret, token)) in keys.enumerate() {
            let each = self.each.replace("{n}", &(number + 1).to_string());
            text.extend(fill(&each, id, secret, token.unwrap_or_default(), random));
        }
        text
    }
}

/// Puts a key into a template.
fn fill(template: &str, id: &str, secret: &str, token: &str, random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.extend_from_slice(&rest.as_bytes()[..at]);
        let known = NAMES.iter().find(|name| rest[at + 1..].starts_with(**name));
        let Some(name) = known else {
            text.push(b'{');
            rest = &rest[at + 1..];
            continue;
        };
        let (argument, after) = rest[at + 1 + name.len()..]
            .split_once('}')
            .expect("a closing brace");
        let whole = || {
            argument
                .trim_start_matches(':')
                .replace("%i", id)
                .replace("%s", secret)
        };
        let cut = |value: &str, random: &mut Random| 4 + random.below(value.len() - 8);
        match *name {
            "id:b64" => text.extend(base64(id.as_bytes()).bytes()),
            "id:b64n" => text.extend(base64(format!("{id}\n").as_bytes()).bytes()),
            "secret:b64" => text.extend(base64(secret.as_bytes()).bytes()),
            "secret:b64n" => text.extend(base64(format!("{secret}\n").as_bytes()).bytes()),
            "secret:json" => text.extend(secret.replace('/', "\\/").bytes()),
            "secret:json3" => text.extend(secret.replace('/', "\\\\\\/").bytes()),
            "secret:unicode" => text.extend(
                secret
                    .replace('/', "\\u002f")
                    .replace('+', "\\u002B")
                    .bytes(),
            ),
            "secret:html" => {
                text.extend(secret.replace('/', "&#x2F;").replace('+', "&#43;").bytes())
            }
            "secret:url" => text.extend(secret.replace('/', "%2F").replace('+', "%2b").bytes()),
            "file64" => text.extend(base64(whole().as_bytes()).bytes()),
            "file64w" => text.extend(wrapped(&base64(whole().as_bytes())).bytes()),
            "wide" => text.extend(whole().encode_utf16().flat_map(u16::to_le_bytes)),
            "pad38" => text.extend(random.text("ABCDEFabcdef0123456789+/", 38).bytes()),
            "id:head" => split(
                &mut text,
                id,
                &mut rest,
                after,
                "{id:tail}",
                cut(id, random),
            ),
            "secret:head" => split(
                &mut text,
                secret,
                &mut rest,
                after,
                "{secret:tail}",
                cut(secret, random),
            ),
            "id" => text.extend(id.bytes()),
            "secret" => text.extend(secret.bytes()),
            _ => text.extend(token.bytes()),
        }
        if !name.ends_with("head") {
            rest = after;
        }
    }
    text.extend(rest.bytes());
    text
}

/// Longer names before their beginnings.
const NAMES: &[&str] = &[
    "id:b64n",
    "id:b64",
    "secret:b64n",
    "secret:b64",
    "secret:json3",
    "secret:json",
    "secret:unicode",
    "secret:html",
    "secret:url",
    "file64w",
    "file64",
    "wide",
    "pad38",
    "id:head",
    "secret:head",
    "id",
    "secret",
    "token",
];

/// Writes the head of `value`, what the template has between, and the tail.
fn split<'t>(
    text: &mut Vec<u8>,
    value: &str,
    rest: &mut &'t str,
    after: &'t str,
    tail: &str,
    cut: usize,
) {
    let (between, after) = after.split_once(tail).expect("a tail");
    text.extend(value[..cut].bytes());
    text.extend(between.bytes());
    text.extend(value[cut..].bytes());
    *rest = after;
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// Lines of 76 characters, indented as in YAML.
fn wrapped(text: &str) -> String {
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    lines.join("\n")
}
