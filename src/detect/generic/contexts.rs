//! Every context in which people write a key finds every kind of rule: known by its form, by a name
//! near it, by its address, by its header.

use crate::detect::Detector;
use crate::finding::Confidence;
use crate::location::Origin;
use crate::rules::RuleSet;
use crate::rules::examples::expand;
use crate::source::Blob;

/// Texts round a key: `NAME`, `name` and `Name` are its provider's, `VALUE` is the key.
const CONTEXTS: &[&str] = &[
    // Environments and command lines.
    "NAME_API_KEY=VALUE",
    "NAME_API_KEY=\"VALUE\"  # live",
    "export NAME_TOKEN='VALUE'",
    "set NAME_KEY=VALUE\r\nstart.exe\r\n",
    "setx NAME_KEY \"VALUE\"",
    "$env:NAME_SECRET = \"VALUE\"",
    "ENV NAME_TOKEN VALUE",
    "ENV NODE_ENV=production NAME_TOKEN=VALUE \\\n    PORT=80",
    "docker run -e NAME_TOKEN=VALUE -p 80:80 app",
    "name login --token VALUE --yes",
    "name config set api-key VALUE",
    "heroku config:set NAME_TOKEN=VALUE -a shop",
    "curl -H 'Authorization: Bearer VALUE' https://api.name.com/v1/users",
    "curl -X POST https://api.name.com/v1 \\\n  -H 'Content-Type: application/json' \\\n  -H 'X-Api-Key: VALUE'",
    "curl -u VALUE: https://api.name.com/v1/charges",
    "curl -u 'me:VALUE' https://name.com/api",
    "http POST https://api.name.com/v1 X-Api-Key:VALUE",
    "wget --header=\"X-Token: VALUE\" https://name.com/file",
    "NAME_KEY ?= VALUE\n\ndeploy:\n\t./deploy\n",
    "sh 'name-cli --api-key=VALUE push'",
    // Settings.
    "name:\n  environment: live\n  api_key: VALUE\n",
    "name:\n  api:\n    url: https://x\n    timeout: 30\n    key: \"VALUE\"\n",
    "services:\n  web:\n    environment:\n      - NAME_TOKEN=VALUE\n      NAME_KEY: x\n",
    "env:\n  - name: NAME_TOKEN\n    value: \"VALUE\"\n",
    "stringData:\n  name-token: VALUE\n",
    "name.api.key=VALUE\nname.api.url=https://x\n",
    "[name]\napi_key = VALUE\n",
    "[profiles.name]\ntoken = \"VALUE\"\n",
    "{\"name\": {\"apiKey\": \"VALUE\"}}",
    "{\n  \"NameToken\": \"VALUE\"\n}",
    "{\\\"name_token\\\":\\\"VALUE\\\"}",
    "{\"name\": \"NAME_TOKEN\", \"value\": \"VALUE\"}",
    "<name><apiKey>VALUE</apiKey></name>",
    "<add key=\"NameApiKey\" value=\"VALUE\" />",
    "<property name=\"name.token\">VALUE</property>",
    "<key>NameApiKey</key>\n<string>VALUE</string>",
    "provider \"name\" {\n  account = var.account\n  token   = \"VALUE\"\n}",
    "variable \"name_token\" {\n  type    = string\n  default = \"VALUE\"\n}",
    "resource \"x\" \"y\" {\n  name  = \"NAME_TOKEN\"\n  value = \"VALUE\"\n}",
    "    \"NAME_TOKEN = \\\"VALUE\\\"\\n\",\n    \"client = name.Client(NAME_TOKEN)\\n\"",
    "machine api.name.com\n  login bot\n  password VALUE\n",
    "credentials(name: 'name-token', value: 'VALUE')",
    // Code.
    "const name = new Name(\"VALUE\");",
    "const name = new Name({ apiKey: 'VALUE', region: 'eu' });",
    "const name = require('name')('app', 'VALUE');",
    "import name\nclient = name.Client(api_key=\"VALUE\")\n",
    "import name\nname.api_key = \"VALUE\"\n",
    "from name import Client\n\nKEY = \"VALUE\"\nclient = Client(KEY)\n",
    "name = Name::Client.new(access_token: 'VALUE')",
    "Name.configure do |config|\n  config.api_key = 'VALUE'\nend",
    "NAME = { :token => 'VALUE' }",
    "client := name.NewClient(ctx, \"VALUE\")",
    "const nameToken = \"VALUE\"",
    "var cfg = &name.Config{\n\tToken: \"VALUE\",\n}",
    "NameClient client = NameClient.builder().apiKey(\"VALUE\").build();",
    "private static final String NAME_TOKEN = \"VALUE\";",
    "val name = NameClient(token = \"VALUE\")",
    "@Value(\"VALUE\") String nameToken;",
    "var client = new NameClient(\"VALUE\");",
    "services.AddName(o => o.ApiKey = \"VALUE\");",
    "[assembly: NameKey(\"VALUE\")]",
    "define('NAME_TOKEN', 'VALUE');",
    "$config['name']['token'] = 'VALUE';",
    "'name' => [\n    'mode' => 'live',\n    'secret' => 'VALUE',\n],",
    "let client = name::Client::new(\"VALUE\");",
    "pub const NAME_TOKEN: &str = \"VALUE\";",
    "let nameKey = \"VALUE\"",
    "Name.configure(withApiKey: \"VALUE\")",
    "[Name startWithKey:@\"VALUE\"];",
    "final name = NameClient('VALUE');",
    "config :name, api_key: \"VALUE\"",
    "my $name = Name->new(key => 'VALUE');",
    "Sys.setenv(NAME_KEY = \"VALUE\")",
    "local name = Name.new{ token = [[VALUE]] }",
    "#define NAME_TOKEN \"VALUE\"",
    "static const char *name_key = \"VALUE\";",
    "(def name-token \"VALUE\")",
    "INSERT INTO keys (provider, secret) VALUES ('name', 'VALUE');",
    "UPDATE settings SET value = 'VALUE' WHERE key = 'name_token';",
    "<script src=\"https://cdn.name.com/sdk.js?key=VALUE\"></script>",
    "<div data-name-key=\"VALUE\"></div>",
    "fetch(`https://api.name.com/v1/data?api_key=VALUE&limit=5`)",
    "axios.get(url, { headers: { 'X-Name-Token': 'VALUE' } })",
    "headers = {\"Authorization\": f\"Bearer VALUE\"}\nrequests.get(\"https://api.name.com/v1\", headers=headers)\n",
    "auth=('api', 'VALUE')\nrequests.post('https://api.name.com/v1', auth=auth)\n",
    "req.Header.Set(\"X-Token\", \"VALUE\") // name",
    // The name is some lines away.
    "# name\nA=1\nB=2\nC=3\nD=4\nE=5\nF=6\nG=7\nH=8\nKEY=VALUE\n",
    "import name\nimport os\nimport re\n\nURL = \"https://x\"\nSIZE = 5\n\n\ndef run():\n    call(\"VALUE\")\n",
    "KEY = 'VALUE'\nSIZE = 5\n\ndef run():\n    get('https://api.name.com/v1')\n",
    // Prose.
    "2024-05-01 12:00:01 INFO name client started with key VALUE",
    "[DEBUG] POST https://api.name.com/v1 headers={X-Token=[VALUE], Accept=[*/*]}",
    "anna: the name key is VALUE, please rotate",
    "Use `VALUE` as the token for Name.",
    "The Name token: **VALUE**",
    "# old name key: VALUE",
    "// name token VALUE (expired?)",
    "/* Name API key\n * VALUE\n */",
    "name,VALUE,2024-01-01",
    "| Name | `VALUE` |",
    "{\"key\": \"X-Name-Token\", \"value\": \"VALUE\", \"type\": \"text\"}",
    "Name “VALUE” (from the wiki).",
];

/// A rule, its provider's name, and a key.
const RULES: &[(&str, &str, &str)] = &[
    ("algolia-api-key", "algolia", "${HEX:32}"),
    ("heroku-api-key", "heroku", "${UUID}"),
    ("auth0-client-secret", "auth0", "${B64URL:64}"),
    ("kraken-access-token", "kraken", "${B64:86}=="),
    ("ghost-admin-api-key", "ghost", "${HEX:24}:${HEX:64}"),
    ("github-pat", "github", "ghp_${CRC62}"),
    ("stripe-secret-key", "stripe", "sk_live_${ALNUM:24}"),
    (
        "sendgrid-api-token",
        "sendgrid",
        "SG.${B64URL:22}.${B64URL:43}",
    ),
    (
        "postgres-url",
        "postgres",
        "postgres://app:${ALNUM:20}@db.corp.net:5432/x",
    ),
    (
        "private-key-rsa",
        "docusign",
        "-----BEGIN RSA PRIVATE KEY-----\\n${PEMLINE:private-key-rsa}\\n-----END RSA PRIVATE KEY-----",
    ),
];

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

#[test]
fn every_context_finds_every_kind_of_rule() {
    let rules = RuleSet::builtin().with_confidence(Confidence::Low);
    let detector = Detector::new(&rules);
    let mut missed = Vec::new();
    for context in CONTEXTS {
        for (id, name, value) in RULES {
            // A URL is no user of another one.
            if context.contains("VALUE: ") && value.contains("://") {
                continue;
            }
            let example = context
                .replace("NAME", &name.to_uppercase())
                .replace("Name", &capitalised(name))
                .replace("name", name)
                .replace("VALUE", value);
            let text = expand(&example);
            let found = detector.scan(&Blob::whole(&Origin::Stdin, text.as_bytes()));
            if !found.iter().any(|finding| *finding.rule == **id) {
                missed.push(format!("{id}: {example}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n---\n"));
}
