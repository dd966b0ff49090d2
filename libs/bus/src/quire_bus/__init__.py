"""The only code that knows FastStream and NATS; import its submodules (this package itself imports nothing heavy).

router       what a service consumes, follows and answers          `Router`
delivery     one message in a handler's hands, and its commit      `Delivery`
bus          one connection with everything on it                  `Bus`, `BusSettings`
envelope     what travels beside a message                         `Meta`, `Outgoing`
publisher    saying something outside a handler                    `Publisher`
records      typed documents with compare-and-swap                 `Records`, `RecordWrite`, `Stored`
buckets      typed key-value buckets                               `Bucket`
blobs        large data by content address                         `Blobs`
watch        reading the life and the progress of one job          `watch_job`, `watch_progress`
dead_letters what could not be handled                             `DeadLetters`
provision    making streams, consumers and buckets                 `provision`
server       a real broker as a child process                      `NatsServer`
errors       what all of this raises
"""
