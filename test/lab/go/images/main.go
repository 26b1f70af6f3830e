// Program images prints the names under which Kubernetes' own tests, and those of network-policy-api, look for the images
// that the lab can make.
package main

import (
	"fmt"
	"log"
	"regexp"

	"k8s.io/kubernetes/test/utils/image"
	"sigs.k8s.io/network-policy-api/conformance"
)

func main() {
	for _, id := range []image.ImageID{image.Agnhost, image.BusyBox, image.GlibcDnsTesting, image.Pause} {
		fmt.Println(image.GetE2EImage(id))
	}
	manifest, err := conformance.Manifests.ReadFile("base/manifests.yaml")
	if err != nil {
		log.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`image: *(\S+)`).FindAllSubmatch(manifest, -1) {
		fmt.Println(string(found[1]))
	}
}
