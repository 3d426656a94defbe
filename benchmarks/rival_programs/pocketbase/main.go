// PocketBase with its JavaScript hooks, as its own program has them: fifteen runtimes made ahead, no watching of files.
//
// Run as `HOOKS=FOLDER pocketbase serve --http 127.0.0.1:PORT --dir FOLDER`.
package main

import (
	"log"
	"os"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/plugins/jsvm"
)

const runtimes = 15 // the default of its own program

func main() {
	app := pocketbase.New()
	jsvm.MustRegister(app, jsvm.Config{HooksDir: os.Getenv("HOOKS"), HooksPoolSize: runtimes})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}
