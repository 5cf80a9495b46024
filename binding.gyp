# How users get the addon: `npm install` runs node-gyp by this file. Developers use native/CMakeLists.txt; both read native/sources.json.
{
  'targets': [
    {
      'target_name': 'fourseven',
      'sources': [
        '<!@(node -p "Object.values(require(\'./native/sources.json\')).flat().map((name) => \'native/\' + name).join(\' \')")'
      ],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS'],
      # Node's own flags name an older standard in Node 20.
      'cflags_cc!': ['-std=gnu++17'],
      'cflags_cc': ['-std=c++20', '-fno-exceptions', '-fvisibility=hidden', '-Wall', '-Wextra'],
    }
  ]
}
